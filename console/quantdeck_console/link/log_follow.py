"""All chosen logs of one host: read once, or followed through lost links, rotations and new engines."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.connect import LinkRefusedError, agent_of
from quantdeck_console.link.fleet_file import Host
from quantdeck_console.link.log_choice import chosen
from quantdeck_console.link.log_client import log_lines, log_sources
from quantdeck_console.link.ssh_fleet import FIRST_RETRY_S, LAST_RETRY_S
from quantdeck_core.errors import QuantdeckError, RemoteError, UnreachableError
from quantdeck_core.protocol.logs import LogLine

LOOK_AGAIN_S = 2.0
"""How often new engines are looked for."""
CATCH_UP_LINES = 1_000
"""After a link was lost, so many lines of the end are searched for those that were shown last."""
_REMEMBERED = 5


class HostLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is printed: a line of a log, or a note about a host or a log.

    Attributes:
        note: said by quantdeck itself; `line` is None then.
    """

    host: str
    source: str = ""
    line: LogLine | None = None
    note: str = ""


Sink = Callable[[list[HostLine]], Awaitable[None]]
"""Takes lines that belong together; waits while whoever prints is behind."""


class HostLogs:
    """One host's part of `quantdeck logs`.

    Args:
        wanted: as in `chosen`.
        lines: of each log's end.
    """

    def __init__(self, host: Host, wanted: Sequence[str], lines: int, sink: Sink, *, everything: bool = False) -> None:
        self._host, self._wanted, self._lines, self._sink = host, wanted, lines, sink
        self._everything = everything
        self._recent: dict[str, deque[str]] = {}

    async def once(self) -> int:
        """Print the ends of the chosen logs; returns how many there are.

        Raises:
            QuantdeckError: the host does not answer.
        """
        async with agent_of(self._host) as client:
            sources = chosen(self._wanted, await log_sources(client), everything=self._everything)
            for source in sources:
                # One answer at a time: they may be long, and there may be many hosts.
                lines = [line async for line in log_lines(client, source, self._lines, follow=False)]
                await self._sink([HostLine(host=self._host.name, source=source, line=line) for line in lines])
        return len(sources)

    async def follow(self) -> None:
        """Print the ends and what comes, until cancelled."""
        pause, lost = FIRST_RETRY_S, False
        while True:
            try:
                async with agent_of(self._host) as client:
                    await log_sources(client)
                    if lost:
                        await self._note("linked again")
                    pause, lost = FIRST_RETRY_S, False
                    await self._follow_all(client)
            except LinkRefusedError as error:
                await self._note(f"refused: {error.detail} {error.hint}")
                pause = LAST_RETRY_S
            except QuantdeckError as error:
                if not lost:
                    await self._note(f"link lost: {error.detail} Trying again.")
                lost = True
            await asyncio.sleep(pause)
            pause = min(LAST_RETRY_S, pause * 2)

    async def _follow_all(self, client: AgentClient) -> None:
        """Follow each chosen log and look for new ones, until the link breaks."""
        following: dict[str, asyncio.Task[None]] = {}
        look = asyncio.Event()
        try:
            while True:
                for source in chosen(self._wanted, await log_sources(client), everything=self._everything):
                    if source not in following:
                        following[source] = asyncio.create_task(self._follow_one(client, source))
                        following[source].add_done_callback(lambda _task: look.set())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await look.wait()
                look.clear()
                for task in following.values():
                    if task.done():
                        task.result()  # a refused log stays among them, so that it is asked for once
        finally:
            for task in following.values():
                task.cancel()
            await asyncio.gather(*following.values(), return_exceptions=True)

    async def _follow_one(self, client: AgentClient, source: str) -> None:
        recent = self._recent.get(source)
        count = self._lines if recent is None else CATCH_UP_LINES
        before: list[LogLine] | None = []
        try:
            async for line in log_lines(client, source, count, follow=True):
                if line.old and before is not None:
                    before.append(line)
                    continue
                if before is not None:
                    await self._show(source, self._unseen(source, before))
                    before = None
                await self._show(source, [line])
        except RemoteError as error:  # removed meanwhile, or too many readers
            await self._note(f"{source}: {error.detail}")
            return
        raise UnreachableError(f"{self._host.name} ended {source}.", "It is asked again.")

    def _unseen(self, source: str, end: list[LogLine]) -> list[LogLine]:
        """Of a log's end what was not shown before the link was lost."""
        recent = list(self._recent.get(source, ()))
        if not recent:
            return end
        texts = [line.text for line in end]
        for at in range(len(end), len(recent) - 1, -1):
            if texts[at - len(recent) : at] == recent:
                return end[at:]
        return [LogLine(source=source, lost_unknown=True), *end[-self._lines :]]

    async def _show(self, source: str, lines: list[LogLine]) -> None:
        told = [line for line in lines if line.text or line.lost or line.lost_unknown or line.withheld]
        if told:
            self._recent.setdefault(source, deque(maxlen=_REMEMBERED)).extend(line.text for line in told if line.text)
            await self._sink([HostLine(host=self._host.name, source=source, line=line) for line in told])

    async def _note(self, text: str) -> None:
        await self._sink([HostLine(host=self._host.name, note=text)])
