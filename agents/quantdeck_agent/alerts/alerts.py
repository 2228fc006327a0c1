"""Alarms that must reach somebody: kept as pages, sent to who the alerts file names, taken by people."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from quantdeck_agent.alerts.delivery import Delivery
from quantdeck_agent.alerts.outbox import Message, Outbox
from quantdeck_agent.alerts.receivers import AlertsFile, Receivers
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.alerts import board as rules
from quantdeck_core.alerts.board import Board, Notice, Step
from quantdeck_core.alerts.cause import page_key
from quantdeck_core.alerts.words import what_became
from quantdeck_core.protocol.alerts import Acknowledge, HandOver, Page, PageCounts, PageList, Snooze
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.protocol.host import Alarm

KIND = "page"
LOOK_S = 1.0
DELIVERY_KEY = "alerts:"
"""Begins the key of an alarm about a receiver; that receiver is not told of it."""
_MOST_UNHEARD = 1000
log = logging.getLogger("quantdeck.alerts")


class _Raise(Protocol):
    def __call__(
        self, t: float, level: str, text: str, experiment: str = "", *, hint: str = "", key: str = ""
    ) -> None: ...


class Alerts:
    """The pages of a host.

    Args:
        raise_: raises an alarm of this part's own, as `Hub.alarm`.
        counted: told how many pages go on.
        file: of the receivers; None: pages are kept and shown, and nobody outside is told.

    Raises:
        InputError: the file cannot be used.
    """

    def __init__(
        self,
        host: str,
        store: Store,
        raise_: _Raise,
        file: Path | None = None,
        *,
        counted: Callable[[PageCounts], None],
    ) -> None:
        self._store, self._raise, self._counted = store, raise_, counted
        self._file = AlertsFile(file, lambda text: raise_(time.time(), "warn", text))
        pages = {page.id: page for page in store.all(KIND, Page).values()}
        self._board = rules.restored(host, pages, time.time())
        self._outbox = Outbox(store)
        self._receivers: Receivers | None = None
        self._deliveries: dict[str, Delivery] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._unheard: deque[Alarm] = deque(maxlen=_MOST_UNHEARD)
        self._wake = asyncio.Event()

    def heard(self, alarm: Alarm) -> None:
        """An alarm was raised. Costs whoever raised it nothing: neither disk nor network is touched here."""
        self._unheard.append(alarm)
        self._wake.set()

    async def keep(self) -> None:
        """Send what is to be sent; runs until cancelled."""
        try:
            while True:
                await self._take_receivers()
                while self._unheard:
                    self._move(rules.raised(self._board, self._unheard.popleft()))
                self._move(rules.tick(self._board, time.time(), self._file().repeat_s))
                self._count()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            await self._end_deliveries()

    def status(self) -> PageList:
        """What goes on, what ended lately, and how it is with the receivers."""
        return PageList(
            now=time.time(),
            pages=tuple(self._board.pages.values()),
            receivers=tuple(one.status() for one in self._deliveries.values()),
        )

    def acknowledge(self, identifier: int, ask: Acknowledge) -> Page:
        """Somebody has it.

        Raises:
            NotFoundError, ConflictError: no such page, or it has ended.
        """
        return self._asked(identifier, rules.acknowledged(self._board, identifier, ask, time.time()), ask.by)

    def snooze(self, identifier: int, ask: Snooze) -> Page:
        """Quiet for a while.

        Raises:
            NotFoundError, ConflictError: no such page, or it has ended.
        """
        return self._asked(identifier, rules.snoozed(self._board, identifier, ask, time.time()), ask.by)

    def hand_over(self, identifier: int, ask: HandOver) -> Page:
        """Somebody else is to take it.

        Raises:
            NotFoundError, ConflictError: no such page, or it has ended.
        """
        return self._asked(identifier, rules.handed_over(self._board, identifier, ask, time.time()), ask.by)

    def _asked(self, identifier: int, step: Step, by: str) -> Page:
        """Persisted when this returns.

        Raises:
            StateWriteError: the disk refused; nothing was changed.
        """
        self._move(step, strict=True)
        self._count()
        now = time.time()
        page = self._board.page(identifier)
        subject = f"experiment:{page.experiment}" if page.experiment else "host"
        for notice in step[1]:
            text = f"page {page.id} ({page.text}): {what_became(notice, now)}"
            self._store.try_note(subject, TimelineEntry(t=now, kind="alert", text=text, by=by or "somebody"))
        return page

    def _count(self) -> None:
        deaf = sum(bool(one.status().problem) for one in self._deliveries.values())
        self._counted(rules.counts(self._board, time.time(), deaf))

    def _move(self, step: Step, *, strict: bool = False) -> None:
        """Pages and messages in one transaction. Without `strict` people are told although the disk refused."""
        board, notices = step
        if board is self._board:
            return
        messages = [one for notice in notices for one in self._messages(notice)]
        try:
            with self._store.transaction():
                self._save(board)
                self._outbox.save(messages)
        except StateWriteError as error:
            if strict:
                raise
            log.warning("pages are in this process only: %s", error.detail)
        self._board = board
        self._outbox.add(messages)
        for message in messages:
            if message.receiver in self._deliveries:
                self._deliveries[message.receiver].wake()

    def _save(self, board: Board) -> None:
        before = self._board.pages
        for page in board.pages.values():
            if before.get(page.id) != page:
                self._store.put(KIND, str(page.id), page)
        for identifier in before:
            if identifier not in board.pages:
                self._store.delete(KIND, str(identifier))

    def _messages(self, notice: Notice) -> list[Message]:
        page = notice.page
        names = [
            one.name
            for one in self._file().targets
            if one.receiver.wants(page.level, page.experiment) and page.key != self._complaint_key(one.name)
        ]
        return self._outbox.compose(notice, names, time.time())

    async def _take_receivers(self) -> None:
        """Work with what the file says now."""
        receivers = self._file()
        if receivers is self._receivers:
            return
        self._receivers = receivers
        await self._end_deliveries()
        names = {one.name for one in receivers.targets}
        self._outbox.keep_only(names)
        self._deliveries = {
            one.name: Delivery(
                self._board.host,
                one,
                self._outbox,
                receivers.overdue_s,
                self._complaint_of(one.name),
                complained=self._board.open_page(self._complaint_key(one.name)) is not None,
            )
            for one in receivers.targets
        }
        self._forget_complaints(names)
        self._tasks = [asyncio.create_task(one.run()) for one in self._deliveries.values()]

    def _forget_complaints(self, names: set[str]) -> None:
        """Trouble with receivers that are there no more is over."""
        begin = self._complaint_key("")
        for page in self._board.pages.values():
            name = page.key.removeprefix(begin)
            if not page.ended and page.key.startswith(begin) and name not in names:
                self._complaint_of(name)("ok", f"{name} is not told of alarms any more", "")

    def _complaint_key(self, name: str) -> str:
        return page_key(self._board.host, "", f"{DELIVERY_KEY}{name}")

    def _complaint_of(self, name: str) -> Callable[[str, str, str], None]:
        return lambda level, text, hint: self._raise(time.time(), level, text, hint=hint, key=f"{DELIVERY_KEY}{name}")

    async def _end_deliveries(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
