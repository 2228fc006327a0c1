"""The event stream of an agent: one JSON object a line, a snapshot first, then what changed."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.alerts import PageCounts
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm, GatewayView, HostSample, HostStatus
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Freeze

HEARTBEAT_S = 5.0
"""A line is sent at least this often, so that silence means a dead link."""


class _Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="event"):
    revision: int
    """Rises with every event of one agent's life."""


class Snapshot(_Event, tag="snapshot", kw_only=True, frozen=True):
    """Everything; replaces what was known."""

    status: HostStatus


class SampleEvent(_Event, tag="sample", kw_only=True, frozen=True):
    """A new reading of the machine."""

    sample: HostSample


class EngineEvent(_Event, tag="engine", kw_only=True, frozen=True):
    """A new or changed engine."""

    engine: EngineStatus


class EngineGone(_Event, tag="engine-gone", kw_only=True, frozen=True):
    """An engine that is no longer wanted here."""

    name: str


class OperationEvent(_Event, tag="operation", kw_only=True, frozen=True):
    """A new operation, or one that is further."""

    operation: Operation


class GatewayEvent(_Event, tag="gateway", kw_only=True, frozen=True):
    """The gateway changed."""

    gateway: GatewayView


class ExperimentEvent(_Event, tag="experiment", kw_only=True, frozen=True):
    """A new or changed experiment."""

    experiment: ExperimentStatus


class AlarmEvent(_Event, tag="alarm", kw_only=True, frozen=True):
    """A new alarm."""

    alarm: Alarm


class PagesEvent(_Event, tag="pages", kw_only=True, frozen=True):
    """Somebody took a page, or how many go on has changed."""

    pages: PageCounts


class FreezeEvent(_Event, tag="freeze", kw_only=True, frozen=True):
    """Automation is held, or goes on."""

    frozen: Freeze | None


class Heartbeat(_Event, tag="heartbeat", kw_only=True, frozen=True):
    """Nothing changed; the link is alive."""


Event = (
    Snapshot
    | SampleEvent
    | EngineEvent
    | EngineGone
    | OperationEvent
    | GatewayEvent
    | ExperimentEvent
    | AlarmEvent
    | PagesEvent
    | FreezeEvent
    | Heartbeat
)
