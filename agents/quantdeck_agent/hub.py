"""The host's present state in one place, and who is told when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from quantdeck_core.protocol import events
from quantdeck_core.protocol.alerts import PageCounts
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm, GatewayView, HostSample, HostStatus
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Freeze

_ALARMS_KEPT = 20
_OPERATIONS_KEPT = 3
"""Ended ones; those under way are all shown."""


class Hub:
    """Holds what is true now and wakes subscribers.

    A subscriber that is slow gets the newest state of each part once, not every step on the way: nothing queues up.
    """

    def __init__(self, host: str, version: str, sample: HostSample) -> None:
        self._host = host
        self._version = version
        self._sample = sample
        self._engines: dict[str, EngineStatus] = {}
        self._experiments: dict[str, ExperimentStatus] = {}
        self._operations: dict[str, Operation] = {}
        self._gateway: GatewayView | None = None
        self._alarms: list[Alarm] = []
        self._pages = PageCounts()
        self._frozen: Freeze | None = None
        self._revision = 0
        self._subscribers: set[_Subscriber] = set()
        self._listener: Callable[[Alarm], None] | None = None

    def listen(self, listener: Callable[[Alarm], None]) -> None:
        """Have somebody hear of every alarm from now on; it must neither wait nor fail."""
        self._listener = listener

    def status(self) -> HostStatus:
        """Everything, now."""
        return HostStatus(
            name=self._host,
            agent_version=self._version,
            sample=self._sample,
            engines=tuple(self._engines.values()),
            operations=tuple(self._operations.values()),
            gateway=self._gateway,
            experiments=tuple(self._experiments.values()),
            alarms=tuple(self._alarms),
            pages=self._pages,
            frozen=self._frozen,
        )

    def experiment(self, name: str) -> ExperimentStatus | None:
        """One experiment as last published."""
        return self._experiments.get(name)

    def put_sample(self, sample: HostSample) -> None:
        """A new reading of the machine."""
        self._sample = sample
        self._changed("sample")

    def put_engines(self, name: str, statuses: tuple[EngineStatus, ...]) -> None:
        """All replicas of an engine, where they differ from what is known."""
        now = {status.name: status for status in statuses}
        for known in [one for one in self._engines if one.partition("/")[0] == name and one not in now]:
            del self._engines[known]
            self._changed(f"engine:{known}")
        for title, status in now.items():
            if self._engines.get(title) != status:
                self._engines[title] = status
                self._changed(f"engine:{title}")

    def put_operation(self, operation: Operation) -> None:
        """An operation as it is now; neither its profile nor the steps of one that ended are told to every watcher."""
        steps = operation.steps if operation.ended is None else ()
        self._operations[operation.id] = msgspec.structs.replace(operation, profile=None, steps=steps)
        ended = [one.id for one in self._operations.values() if one.ended is not None]
        for old in ended[:-_OPERATIONS_KEPT]:
            del self._operations[old]
        self._changed(f"operation:{operation.id}")

    def remove_operation(self, identifier: str) -> None:
        """An operation that did not come about."""
        self._operations.pop(identifier, None)

    def put_gateway(self, gateway: GatewayView) -> None:
        """The gateway, where it differs from what is known."""
        if self._gateway != gateway:
            self._gateway = gateway
            self._changed("gateway")

    def put_experiment(self, experiment: ExperimentStatus) -> None:
        """An experiment, where it differs from what is known."""
        if self._experiments.get(experiment.name) != experiment:
            self._experiments[experiment.name] = experiment
            self._changed(f"experiment:{experiment.name}")

    def put_pages(self, pages: PageCounts) -> None:
        """How many go on, where that differs from what is known."""
        if self._pages != pages:
            self._pages = pages
            self._changed("pages")

    def put_freeze(self, frozen: Freeze | None) -> None:
        """Who holds automation here, where that differs from what is known."""
        if self._frozen != frozen:
            self._frozen = frozen
            self._changed("freeze")

    def alarm(self, t: float, level: str, text: str, experiment: str = "", *, hint: str = "", key: str = "") -> None:
        """Tell whoever watches; `level`, `hint` and `key` as in `Alarm`."""
        last = self._alarms[-1].id if self._alarms else 0
        alarm = Alarm(id=last + 1, t=t, level=level, text=text, experiment=experiment, hint=hint, key=key)
        self._alarms = [*self._alarms[1 - _ALARMS_KEPT :], alarm]
        self._changed(f"alarm:{alarm.id}")
        if self._listener:
            self._listener(alarm)

    def _changed(self, part: str) -> None:
        self._revision += 1
        for subscriber in self._subscribers:
            subscriber.dirty[part] = None
            subscriber.wake.set()

    async def subscribe(self) -> AsyncIterator[bytes]:
        """JSON lines for one watcher: a snapshot, then what changed, and a heartbeat when nothing does."""
        subscriber = _Subscriber()
        self._subscribers.add(subscriber)
        try:
            yield _line(events.Snapshot(revision=self._revision, status=self.status()))
            while True:
                try:
                    async with asyncio.timeout(events.HEARTBEAT_S):
                        await subscriber.wake.wait()
                except TimeoutError:
                    yield _line(events.Heartbeat(revision=self._revision))
                    continue
                subscriber.wake.clear()
                dirty, subscriber.dirty = subscriber.dirty, {}
                for part in dirty:
                    event = self._event(part)
                    if event is not None:
                        yield _line(event)
        finally:
            self._subscribers.discard(subscriber)

    def _event(self, part: str) -> events.Event | None:
        kind, _, name = part.partition(":")
        revision = self._revision
        if kind == "sample":
            return events.SampleEvent(revision=revision, sample=self._sample)
        if kind == "engine":
            engine = self._engines.get(name)
            if engine is None:
                return events.EngineGone(revision=revision, name=name)
            return events.EngineEvent(revision=revision, engine=engine)
        if kind == "operation":
            operation = self._operations.get(name)
            return events.OperationEvent(revision=revision, operation=operation) if operation else None
        if kind == "gateway" and self._gateway is not None:
            return events.GatewayEvent(revision=revision, gateway=self._gateway)
        if kind == "pages":
            return events.PagesEvent(revision=revision, pages=self._pages)
        if kind == "freeze":
            return events.FreezeEvent(revision=revision, frozen=self._frozen)
        if kind == "experiment":
            return events.ExperimentEvent(revision=revision, experiment=self._experiments[name])
        alarm = next((alarm for alarm in self._alarms if kind == "alarm" and alarm.id == int(name)), None)
        return events.AlarmEvent(revision=revision, alarm=alarm) if alarm else None


class _Subscriber:
    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.dirty: dict[str, None] = {}


def _line(event: events.Event) -> bytes:
    return msgspec.json.encode(event) + b"\n"
