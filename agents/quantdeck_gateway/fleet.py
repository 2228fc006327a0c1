"""All processes of one gateway as the leader sees them: what holds, holds in each; what is counted, is their sum."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol.gateway import GatewayConfig
from quantdeck_gateway.channel import Channel
from quantdeck_gateway.limits import ACK_S
from quantdeck_gateway.messages import (
    Apply,
    AskMetrics,
    AskReport,
    Begin,
    Done,
    Lapse,
    Message,
    Metrics,
    Report,
    Retire,
)
from quantdeck_gateway.serving import LeaseOf, Serving, no_lease
from quantdeck_gateway.settings import WorkerSettings
from quantdeck_gateway.shares import share
from quantdeck_gateway.totals import total_metrics, total_report
from quantdeck_gateway.upgrade import Predecessor
from quantdeck_gateway.workers import WorkerProcess

START_S = 10.0
_SILENT_S = 10.0
"""A worker that has not said a word for this long hangs."""

log = logging.getLogger("quantdeck.gateway")


class UpgradingError(QuantdeckError):
    """A successor takes over; it is told what it inherits once."""

    code = "gateway-upgrading"
    title = "Gateway is being upgraded"
    http_status = 503


def upgrading() -> UpgradingError:
    """What to say to whoever wants something meanwhile."""
    return UpgradingError("The gateway is being upgraded.", "Ask again in a second.")


class NotStartedError(QuantdeckError):
    """A worker did not come up."""

    code = "gateway-worker-failed"
    title = "Gateway worker failed"


class Fleet:
    """The leader's own part, its workers, and a predecessor that still answers what it had begun.

    Args:
        listeners: one for each worker, the leader's first.

    Attributes:
        config: what holds, with whole limits.
        frozen: a successor was told what holds; nothing may change here any more.
        retired: the successor serves; it alone is to be asked.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: GatewayConfig,
        serving: Serving,
        settings: WorkerSettings,
        listeners: Sequence[socket.socket],
    ) -> None:
        self.config = config
        self.frozen = self.retired = False
        self._loop, self._serving, self._settings = loop, serving, settings
        self._count = len(listeners)
        self._workers = [
            WorkerProcess(loop, number, listener, serving.door, self._what, self.metrics)
            for number, listener in enumerate(listeners[1:], 1)
        ]
        self._predecessor: Predecessor | None = None
        self._reports: dict[Channel, Report] = {}
        self._heard: dict[Channel, float] = {}
        self._lapse = Lapse(frozenset(), frozenset())
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Start the other workers; when this returns, they wait for `begin`.

        Raises:
            NotStartedError: one did not come up in time.
        """
        for worker in self._workers:
            await worker.start()
        await self._in_time([worker.up for worker in self._workers])

    async def begin(self) -> None:
        """Let them serve; when this returns, they do.

        Raises:
            NotStartedError: one did not come up in time.
        """
        for worker in self._workers:
            worker.begin()
        await self._in_time([worker.serves for worker in self._workers])

    async def _in_time(self, events: Sequence[asyncio.Event]) -> None:
        try:
            async with asyncio.timeout(START_S):
                for event in events:
                    await event.wait()
        except TimeoutError:
            raise NotStartedError(f"A worker did not come up within {START_S:g} s.", "Read the log.") from None

    def _what(self, number: int) -> Begin:
        config = share(self.config, number, self._count)
        return Begin(config=config, settings=self._settings, lapse=self._lapse)

    def follow(self, predecessor: Predecessor) -> None:
        """Changes are told to it too, and what it counts belongs to the sum, until its last answer has ended."""
        self._predecessor = predecessor

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """One change at a time.

        Raises:
            UpgradingError: not here any more, or not now.
        """
        async with self._lock:
            if self.frozen:
                raise upgrading()
            yield

    async def apply(self, config: GatewayConfig) -> None:
        """Decide by this config from the next request on; when this returns, every process does.

        A process that does not acknowledge it in time is killed: then it decides nothing any more.
        """
        self.config = config
        self._serving.table.apply(share(config, 0, self._count))
        asked = [
            (worker, worker.channel.ask(Apply(share(config, worker.number, self._count))))
            for worker in self._workers
            if worker.channel is not None
        ]
        predecessor, told = self._predecessor, None
        if predecessor is not None and not predecessor.channel.closed:
            told = predecessor.channel.ask(Apply(config))
        answers = [answer for _, answer in asked] + ([told] if told is not None else [])
        # No task for each of them: every step between an answer and us is one more round of a loop that is busy.
        with suppress(TimeoutError):
            async with asyncio.timeout(ACK_S):
                for answer in answers:
                    await answer
        late = [worker for worker, answer in asked if not isinstance(_said(answer), Done)]
        for worker in late:
            log.error("worker %d did not acknowledge a change", worker.number)
        await asyncio.gather(*(worker.replace() for worker in late))
        if predecessor is not None and told is not None:
            await self._acknowledged(predecessor, _said(told))

    def set_lapsed(self, lapsed: frozenset[str], late: frozenset[str]) -> None:
        """Nobody judges the lapsed, and has not judged the late for a while: every process is told."""
        self._lapse = Lapse(lapsed, late)
        self._serving.table.set_lapsed(lapsed, late)
        for channel in self._channels():
            channel.ask(self._lapse)

    async def _acknowledged(self, predecessor: Predecessor, acknowledged: Message | None) -> None:
        if acknowledged is None:
            log.error("the gateway before this one did not acknowledge a change")
            predecessor.kill()
            await predecessor.ended()
        elif not isinstance(acknowledged, Done):
            # Another version, which does not know what is in it: it finishes its answers and takes no request more.
            predecessor.channel.ask(Retire(gentle=False))

    def _channels(self) -> Iterator[Channel]:
        for worker in self._workers:
            if worker.channel is not None:
                yield worker.channel
        if self._predecessor is not None and not self._predecessor.channel.closed:
            yield self._predecessor.channel

    async def report(self, lease: LeaseOf = no_lease) -> Report:
        """What all have counted. Of one that is late the last word counts."""
        channels = list(self._channels())
        if not channels:
            return self._serving.report(lease)
        answers = await asyncio.gather(*(_in_time(channel.ask(AskReport())) for channel in channels))
        for channel, answer in zip(channels, answers, strict=True):
            if isinstance(answer, Report):
                self._reports[channel] = answer
                self._heard[channel] = self._loop.time()
        self._reports = {channel: one for channel, one in self._reports.items() if not channel.closed}
        return total_report([self._serving.report(lease), *self._reports.values()])

    async def metrics(self) -> str:
        """Prometheus' text for all of them."""
        asked = [_in_time(channel.ask(AskMetrics())) for channel in self._channels()]
        answers = await asyncio.gather(*asked) if asked else []
        texts = [answer.text for answer in answers if isinstance(answer, Metrics)]
        return total_metrics([self._serving.metrics(), *texts])

    async def look_after(self) -> None:
        """Once a second: a worker that hangs makes room for another one."""
        await self.report()
        now = self._loop.time()
        for worker in self._workers:
            channel = worker.channel
            if channel is not None and now - self._heard.setdefault(channel, now) > _SILENT_S:
                log.error("worker %d hangs", worker.number)
                worker.kill()
        self._heard = {channel: at for channel, at in self._heard.items() if not channel.closed}

    def retire(self, *, gentle: bool) -> None:
        """Workers accept no more and end with their last answer."""
        for worker in self._workers:
            worker.let_go()
            if worker.channel is not None:
                worker.channel.ask(Retire(gentle))
            else:
                worker.kill()

    async def ended(self) -> None:
        """Return when no other process is left, predecessors of this one included: without it nobody told them what
        holds."""
        for worker in self._workers:
            await worker.ended()
        if self._predecessor is not None:
            await self._predecessor.ended()

    async def stop(self) -> None:
        """End what is left."""
        for worker in self._workers:
            worker.let_go()
            worker.kill()
            await worker.ended()


def _said(answer: asyncio.Future[Message]) -> Message | None:
    """What has been answered; None where nobody waits for it any more."""
    return answer.result() if answer.done() and not answer.cancelled() else None


async def _in_time(answer: asyncio.Future[Message]) -> Message | None:
    done, _ = await asyncio.wait({answer}, timeout=ACK_S)
    return answer.result() if done else None
