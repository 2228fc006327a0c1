"""What the gateway's processes ask each other."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.gateway import GatewayConfig, RouteStatus
from quantdeck_gateway.settings import WorkerSettings


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A worker's loop runs; it waits for `Begin`."""


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """To a worker: accept clients. Answered when it does.

    Attributes:
        config: its share of the whole.
    """

    config: GatewayConfig
    settings: WorkerSettings
    lapse: Lapse


class Apply(msgspec.Struct, frozen=True, tag="apply"):
    """Decide by this config from the next request on; the answer says that it holds."""

    config: GatewayConfig


class Retire(msgspec.Struct, frozen=True, tag="retire"):
    """Accept no more, and end with the last answer.

    Attributes:
        gentle: another gateway listens in its place: connections without a request are kept until it is known that no
            request is on its way.
    """

    gentle: bool


class Lapse(msgspec.Struct, frozen=True, tag="lapse"):
    """Nobody judges these experiments, or has not judged them for a while."""

    lapsed: frozenset[str]
    late: frozenset[str]


class AskReport(msgspec.Struct, frozen=True, tag="ask-report"):
    """What did you count? Answered with `Report`."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """Counters of one process, or of several together."""

    routes: tuple[RouteStatus, ...] = ()
    tee_dropped: int = 0
    tee_sampled_out: int = 0


class AskMetrics(msgspec.Struct, frozen=True, tag="ask-metrics"):
    """Your metrics? Answered with `Metrics`: a leader's are those of all its workers."""


class Metrics(msgspec.Struct, frozen=True, tag="metrics"):
    """In Prometheus' text format."""

    text: str


class Inherit(msgspec.Struct, frozen=True, kw_only=True, tag="inherit"):
    """To a successor: take over. Answered when it serves.

    Attributes:
        listeners: descriptors of the listening sockets, one for each worker.
        log: descriptor of the log.
        config: what holds now, also where no disk could keep it.
        pid: of the process that asks.
        leases: seconds since each experiment's lease was renewed.
        answer_key: signs the ids of answers, those that were given before included.
    """

    listeners: tuple[int, ...]
    log: int
    config: GatewayConfig
    pid: int
    leases: dict[str, float] = {}
    answer_key: bytes


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It is as you said."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It is not."""

    detail: str


Message = Hello | Begin | Apply | Lapse | Retire | AskReport | Report | AskMetrics | Metrics | Inherit | Done | Failed
