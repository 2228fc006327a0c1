"""The fleet as one immutable value: `apply` gives the next one after an update, `apply_all` that after many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.events import (
    AlarmEvent,
    EngineEvent,
    EngineGone,
    Event,
    ExperimentEvent,
    FreezeEvent,
    GatewayEvent,
    Heartbeat,
    OperationEvent,
    PagesEvent,
    SampleEvent,
    Snapshot,
)
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm, HostStatus

_Named = TypeVar("_Named", EngineStatus, ExperimentStatus)

KEPT_ALARMS = 20
"""As many as an agent keeps."""
KEPT_OPERATIONS = 20


class HostView(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is known of one host.

    Attributes:
        status: as last heard, also while the link is down; None before the first snapshot.
        linked_at: console time of the last change of the link, UNIX seconds.
        heard_at: console time when the host last said anything, None while it never did.
    """

    name: str
    link: LinkChange = LinkChange(state="connecting")
    status: HostStatus | None = None
    linked_at: float | None = None
    heard_at: float | None = None

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The newest last."""
        return self.status.alarms if self.status else ()

    def experiment(self, name: str) -> ExperimentStatus | None:
        """The experiment of that name on this host."""
        found = self.status.experiments if self.status else ()
        return next((experiment for experiment in found if experiment.name == name), None)


class FleetState(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All hosts, in the order of the fleet file."""

    hosts: Mapping[str, HostView]

    @classmethod
    def of(cls, names: Iterable[str]) -> FleetState:
        """A fleet of which nothing was heard yet."""
        return cls(hosts=MappingProxyType({name: HostView(name=name) for name in names}))

    def running(self, experiment: str) -> list[HostView]:
        """The hosts whose gateways run an experiment of this name."""
        return [view for view in self.hosts.values() if view.experiment(experiment)]

    @property
    def unheard(self) -> list[HostView]:
        """The hosts that never said what they run."""
        return [view for view in self.hosts.values() if view.status is None]


class Heard(NamedTuple):
    """Something that came from a host, or happened to its link, at a UNIX time."""

    host: str
    update: Event | LinkChange
    at: float


def apply(state: FleetState, host: str, update: Event | LinkChange, now: float) -> FleetState:
    """The fleet after one thing was heard."""
    return apply_all(state, (Heard(host, update, now),))


def apply_all(state: FleetState, heard: Iterable[Heard]) -> FleetState:
    """The fleet after all of it was heard, in this order: hosts are copied once, not once for each."""
    changed: dict[str, HostView] = {}
    for host, update, at in heard:
        view = changed.get(host) or state.hosts.get(host) or HostView(name=host)
        changed[host] = _next(view, update, at)
    return FleetState(hosts=MappingProxyType({**state.hosts, **changed})) if changed else state


def fresh_alarms(before: HostView | None, after: HostView) -> tuple[Alarm, ...]:
    """Alarms to ring for: those that came since, not those that a first snapshot found waiting, nor an alarm's end.

    An agent's ids rise; one that was set up anew starts at 1 again, so the time counts as well.
    """
    if before is None or before.status is None:
        return ()
    known = {(alarm.id, alarm.t) for alarm in before.alarms}
    return tuple(alarm for alarm in after.alarms if alarm.level != "ok" and (alarm.id, alarm.t) not in known)


def _next(view: HostView, update: Event | LinkChange, now: float) -> HostView:
    if isinstance(update, LinkChange):
        return msgspec.structs.replace(view, link=update, linked_at=now)
    if isinstance(update, Snapshot):
        return msgspec.structs.replace(view, status=update.status, heard_at=now)
    # Before the first snapshot there is nothing that an event could change; it still is a sign of life.
    status = _changed(view.status, update) if view.status else None
    return msgspec.structs.replace(view, status=status, heard_at=now)


def _changed(status: HostStatus, update: Event) -> HostStatus:
    replace = msgspec.structs.replace
    match update:
        case SampleEvent(sample=sample):
            return replace(status, sample=sample)
        case GatewayEvent(gateway=gateway):
            return replace(status, gateway=gateway)
        case EngineEvent(engine=engine):
            return replace(status, engines=_put(status.engines, engine))
        case EngineGone(name=name):
            return replace(status, engines=tuple(engine for engine in status.engines if engine.name != name))
        case OperationEvent(operation=operation):
            known = tuple(one for one in status.operations if one.id != operation.id)
            return replace(status, operations=(*known, operation)[-KEPT_OPERATIONS:])
        case ExperimentEvent(experiment=experiment):
            return replace(status, experiments=_put(status.experiments, experiment))
        case AlarmEvent(alarm=alarm):
            return replace(status, alarms=(*status.alarms, alarm)[-KEPT_ALARMS:])
        case PagesEvent(pages=pages):
            return replace(status, pages=pages)
        case FreezeEvent(frozen=frozen):
            return replace(status, frozen=frozen)
        case Snapshot() | Heartbeat():
            return status


def _put(known: tuple[_Named, ...], new: _Named) -> tuple[_Named, ...]:
    """Replace the one of that name where it stands, or add it at the end."""
    changed = [new if one.name == new.name else one for one in known]
    if all(one.name != new.name for one in known):
        changed.append(new)
    return tuple(changed)
