"""All pages of a host as a pure state: what an alarm, a person or the clock makes of them, and what is to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from quantdeck_core.alerts.cause import cause_of, page_key
from quantdeck_core.errors import ConflictError, NotFoundError
from quantdeck_core.protocol.alerts import Acknowledge, HandOver, Level, Page, PageCounts, Snooze
from quantdeck_core.protocol.host import Alarm
from quantdeck_core.text import clean

Action = Literal["trigger", "repeat", "acknowledge", "snooze", "handover", "resolve"]

ENDED_KEPT = 50
OPEN_MOST = 200
"""Causes at once; the oldest warning gives way, so that a storm of them neither fills the disk nor hides a failure."""
RESTATE_S = 300.0
"""A condition of the host that an earlier agent saw and this one has not seen again for so long is over."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Receivers are to be told what has become of a page."""

    action: Action
    page: Page


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """Pages by id, oldest first.

    Attributes:
        last_id: that was given last.
        restored: UNIX time of the agent's start.
    """

    host: str
    pages: Mapping[int, Page] = MappingProxyType({})
    last_id: int = 0
    restored: float = 0.0

    def page(self, identifier: int) -> Page:
        """One of them.

        Raises:
            NotFoundError: there is none.
        """
        found = self.pages.get(identifier)
        if found is None:
            raise NotFoundError(f"There is no page {identifier} on {self.host}.", "`quantdeck alerts list` shows them.")
        return found

    def with_page(self, page: Page) -> Board:
        """The same with a page new or changed; ended ones that are too many are forgotten."""
        pages = {**self.pages, page.id: page}
        ended = sorted((one for one in pages.values() if one.ended), key=lambda one: one.ended)
        for old in ended[:-ENDED_KEPT]:
            del pages[old.id]
        going_on = [one for one in pages.values() if not one.ended]
        if len(going_on) > OPEN_MOST:
            del pages[min(going_on, key=lambda one: (one.level == "fail", one.id)).id]
        return msgspec.structs.replace(self, pages=MappingProxyType(pages), last_id=max(self.last_id, page.id))

    def open_page(self, key: str) -> Page | None:
        """The page of a cause that goes on."""
        return next((one for one in self.pages.values() if one.key == key and not one.ended), None)


Step = tuple[Board, tuple[Notice, ...]]


def raised(board: Board, alarm: Alarm) -> Step:
    """An alarm began, came again, or (`ok`) ended. The same cause again is told only where it has become worse."""
    text, hint = clean(alarm.text, one_line=True), clean(alarm.hint, one_line=True)
    key = page_key(board.host, alarm.experiment, cause_of(alarm.key, text))
    known = board.open_page(key)
    if alarm.level == "ok":
        return _over(board, known, alarm.t, text) if known else (board, ())
    level: Level = "fail" if alarm.level == "fail" else "warn"
    if known is None:
        page = Page(
            id=board.last_id + 1,
            key=key,
            experiment=alarm.experiment,
            level=level,
            text=text,
            hint=hint,
            ends=bool(alarm.key),
            began=alarm.t,
            last=alarm.t,
            told=alarm.t,
        )
        return board.with_page(page), (Notice(action="trigger", page=page),)
    worse = level == "fail" and known.level == "warn"
    page = msgspec.structs.replace(
        known,
        text=text,
        hint=hint or known.hint,
        last=max(alarm.t, known.last),
        count=known.count + 1,
        unsure=False,
    )
    if worse:
        page = msgspec.structs.replace(_taken_by_nobody(page), level="fail", told=alarm.t)
    return board.with_page(page), (Notice(action="trigger", page=page),) if worse else ()


def tick(board: Board, now: float, repeat_s: float) -> Step:
    """What is due at a UNIX time: unacknowledged failures again, and what nobody has seen since a restart is over.

    A clock that was set back repeats at once rather than an hour late.
    """
    notices: list[Notice] = []
    for page in board.pages.values():
        if page.ended:
            continue
        if page.unsure and abs(now - board.restored) >= RESTATE_S:
            board, told = _over(board, page, now, "not seen again since the agent was started anew")
            notices += told
        elif page.level == "fail" and page.state(now) == "open" and _due(page, now, repeat_s):
            again = msgspec.structs.replace(page, told=now)
            board = board.with_page(again)
            notices.append(Notice(action="repeat", page=again))
    return board, tuple(notices)


def acknowledged(board: Board, identifier: int, ask: Acknowledge, now: float) -> Step:
    """Somebody has it; what nobody will say the end of is over with that.

    Raises:
        NotFoundError, ConflictError: no such page, or it has ended.
    """
    page = _going_on(board, identifier)
    if page.acknowledged_by == ask.by:
        return board, ()
    page = msgspec.structs.replace(
        page, acknowledged_by=ask.by or "somebody", acknowledged_at=now, note=ask.note or page.note, snoozed_until=0.0
    )
    if not page.ends:
        return _over(board, page, now, f"acknowledged by {page.acknowledged_by}")
    return board.with_page(page), (Notice(action="acknowledge", page=page),)


def snoozed(board: Board, identifier: int, ask: Snooze, now: float) -> Step:
    """Quiet for a while.

    Raises:
        NotFoundError, ConflictError: no such page, or it has ended.
    """
    page = msgspec.structs.replace(
        _going_on(board, identifier), snoozed_until=now + ask.seconds, snoozed_by=ask.by or "somebody"
    )
    return board.with_page(page), (Notice(action="snooze", page=page),)


def handed_over(board: Board, identifier: int, ask: HandOver, now: float) -> Step:
    """Somebody else is to take it: told at once, and repeated until they have.

    Raises:
        NotFoundError, ConflictError: no such page, or it has ended.
    """
    page = _taken_by_nobody(_going_on(board, identifier))
    page = msgspec.structs.replace(page, owner=ask.to, note=ask.note, told=now)
    return board.with_page(page), (Notice(action="handover", page=page),)


def restored(host: str, pages: Mapping[int, Page], now: float) -> Board:
    """After a restart of the agent. What experiments raised stands until they say otherwise; of the host's own
    conditions nobody knows yet whether they go on."""
    kept = {
        page.id: msgspec.structs.replace(page, unsure=True)
        if page.ends and not page.experiment and not page.ended
        else page
        for page in sorted(pages.values(), key=lambda one: one.id)
    }
    return Board(host=host, pages=MappingProxyType(kept), last_id=max(kept, default=0), restored=now)


def counts(board: Board, now: float, deaf: int) -> PageCounts:
    """How many go on at a UNIX time, by who has them.

    Args:
        deaf: receivers that do not take their messages.
    """
    states = Counter(page.state(now) for page in board.pages.values())
    return PageCounts(nobody=states["open"], snoozed=states["snoozed"], taken=states["acknowledged"], deaf=deaf)


def _due(page: Page, now: float, repeat_s: float) -> bool:
    return now >= page.told + repeat_s or page.told > now


def _going_on(board: Board, identifier: int) -> Page:
    page = board.page(identifier)
    if page.ended:
        raise ConflictError(f"Page {identifier} has ended: {page.outcome}.", "There is nothing left to take.")
    return page


def _taken_by_nobody(page: Page) -> Page:
    return msgspec.structs.replace(page, acknowledged_by="", acknowledged_at=0.0, snoozed_until=0.0, snoozed_by="")


def _over(board: Board, page: Page, now: float, outcome: str) -> Step:
    page = msgspec.structs.replace(page, ended=now, outcome=outcome, unsure=False)
    return board.with_page(page), (Notice(action="resolve", page=page),)
