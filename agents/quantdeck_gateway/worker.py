"""`python -m quantdeck_gateway.worker LISTENER_FD CHANNEL_FD`: started by the leader, does as it says."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Awaitable

from quantdeck_gateway.channel import Channel, open_channel
from quantdeck_gateway.limits import ACK_S
from quantdeck_gateway.messages import (
    Apply,
    AskMetrics,
    AskReport,
    Begin,
    Done,
    Failed,
    Hello,
    Lapse,
    Message,
    Metrics,
    Retire,
)
from quantdeck_gateway.serving import Serving, loop_factory

log = logging.getLogger("quantdeck.gateway")


class Worker:
    """A worker other than the leader."""

    _channel: Channel

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        self._loop, self._listener = loop, listener
        self._serving: Serving | None = None
        self._told_to_end = asyncio.Event()

    async def run(self, end: socket.socket) -> None:
        """Serve until the leader says that it is over, or is gone."""
        self._channel = await open_channel(self._loop, end, self._answer, self._left_alone)
        self._channel.ask(Hello())
        await self._told_to_end.wait()
        if self._serving is not None:
            await self._serving.ended()
            await self._serving.stop()
        self._channel.close()

    def _answer(self, message: Message) -> Message | Awaitable[Message]:
        if isinstance(message, Begin):
            return self._begin(message)
        if self._serving is None:
            return Failed(detail="it has not begun")
        if isinstance(message, Apply):
            self._serving.table.apply(message.config)
            return Done()
        if isinstance(message, Lapse):
            self._serving.table.set_lapsed(message.lapsed, message.late)
            return Done()
        if isinstance(message, AskReport):
            return self._serving.report()
        if isinstance(message, AskMetrics):
            return Metrics(self._serving.metrics())
        if isinstance(message, Retire):
            self._retire(gentle=message.gentle)
            return Done()
        return Failed(detail="a worker does not do that")

    def _begin(self, begin: Begin) -> Awaitable[Message]:
        """The table is there at once: changes that follow find it."""
        self._serving = serving = Serving(self._loop, begin.config, begin.settings, self._metrics)
        serving.table.set_lapsed(begin.lapse.lapsed, begin.lapse.late)
        serving.start()

        async def let_in() -> Message:
            await serving.door.open(self._listener)
            return Done()

        return let_in()

    async def _metrics(self) -> str:
        """Of all workers: the leader asks them."""
        async with asyncio.timeout(ACK_S):
            message = await self._channel.ask(AskMetrics())
        if self._serving is not None and not isinstance(message, Metrics):
            return self._serving.metrics()
        return message.text if isinstance(message, Metrics) else ""

    def _retire(self, *, gentle: bool) -> None:
        self._told_to_end.set()
        if self._serving is not None:
            self._serving.retire(gentle=gentle)
        self._listener.close()

    def _left_alone(self) -> None:
        """Without a leader nobody could change the split here: whoever is connected must go to another gateway."""
        self._retire(gentle=False)


def main() -> None:
    """Run a worker."""
    # A signal to the whole process group is meant for the leader, who says here what to do.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s gateway worker %(levelname)s %(message)s")
    listener, end = socket.socket(fileno=int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2]))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:

        async def run() -> None:
            await Worker(asyncio.get_running_loop(), listener).run(end)

        runner.run(run())


if __name__ == "__main__":
    main()
