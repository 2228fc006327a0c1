"""All chosen logs of one host: read once, or followed through lost links, rotations and new engines."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.connect import LinkRefusedError
from quantdeck_console.link.log_choice import chosen
from quantdeck_console.link.log_client import log_lines, log_sources
from quantdeck_console.link.ssh_fleet import FIRST_RETRY_S, LAST_RETRY_S
from quantdeck_core.errors import QuantdeckError, RemoteError, UnreachableError
from quantdeck_core.fleet.log_text import HostLine
from quantdeck_core.protocol.logs import LogLine

LOOK_AGAIN_S = 2.0
"""How often new engines are looked for."""
CATCH_UP_LINES = 1_000
"""After a link was lost, so many lines of the end are searched for those that were shown last."""
_REMEMBERED = 5

T = TypeVar("T")
Sink = Callable[[list[HostLine]], Awaitable[None]]
"""Takes lines that belong together; waits while whoever shows them is behind."""


class Ask(Protocol):
    """Makes a call to one host's agent, however long that goes on."""

    async def __call__(self, call: Callable[[AgentClient], Awaitable[T]], /) -> T: ...


class HostLogs:
    """Chosen logs of one host.

    Args:
        wanted: as in `chosen`.
        lines: of each log's end.
    """

    def __init__(
        self, host: str, ask: Ask, wanted: Sequence[str], lines: int, sink: Sink, *, everything: bool = False
    ) -> None:
        self._host, self._ask, self._wanted, self._lines, self._sink = host, ask, wanted, lines, sink
        self._everything = everything
        self._recent: dict[str, deque[str]] = {}
        self._pause, self._lost = FIRST_RETRY_S, False

    async def once(self) -> int:
        """Show the ends of the chosen logs; returns how many there are.

        Raises:
            QuantdeckError: the host does not answer.
        """
        return await self._ask(self._ends)

    async def _ends(self, client: AgentClient) -> int:
        sources = chosen(self._wanted, await log_sources(client), everything=self._everything)
        for source in sources:
            # One answer at a time: they may be long, and there may be many hosts.
            lines = [line async for line in log_lines(client, source, self._lines, follow=False)]
            await self._sink([HostLine(host=self._host, source=source, line=line) for line in lines])
        return len(sources)

    async def follow(self) -> None:
        """Show the ends and what comes, until cancelled."""
        while True:
            try:
                await self._ask(self._linked)
            except LinkRefusedError as error:
                await self._note(f"refused: {error.detail} {error.hint}")
                self._pause = LAST_RETRY_S
            except QuantdeckError as error:
                if not self._lost:
                    await self._note(f"link lost: {error.detail} Trying again.")
                self._lost = True
            await asyncio.sleep(self._pause)
            self._pause = min(LAST_RETRY_S, self._pause * 2)

    async def _linked(self, client: AgentClient) -> None:
        await log_sources(client)
        if self._lost:
            await self._note("linked again")
        self._pause, self._lost = FIRST_RETRY_S, False
        await self._follow_all(client)

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
        raise UnreachableError(f"{self._host} ended {source}.", "It is asked again.")

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
            await self._sink([HostLine(host=self._host, source=source, line=line) for line in told])

    async def _note(self, text: str) -> None:
        await self._sink([HostLine(host=self._host, note=text)])
