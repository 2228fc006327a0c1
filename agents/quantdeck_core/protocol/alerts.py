"""Pages of a host: causes that people are told of until somebody has taken them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.durations import parse_duration
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.requests import Change

PageState = Literal["open", "acknowledged", "snoozed", "ended"]
Level = Literal["warn", "fail"]
MOST_SNOOZE_S = 7 * 86_400.0


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One cause, from when it began until it has ended.

    Attributes:
        id: rises by one.
        key: host, experiment and cause, e.g. `gpu-1/int4_v1/rollback`; receivers know it by this.
        ends: the agent will say when it is over; else it is over when somebody has acknowledged it.
        level: `fail` is repeated until it is acknowledged, `warn` is told once.
        hint: what to do next.
        began, last: UNIX times, seconds, of the first and the last time that it was raised; `count` how often.
        told: UNIX time of the last time that receivers were told; the next repetition counts from there.
        acknowledged_by, acknowledged_at: who has taken it, and when; empty and 0 while nobody has.
        snoozed_until: UNIX time until which it is not repeated; `snoozed_by` asked for that.
        owner: who it was handed over to.
        note: what was said when it was handed over.
        ended: UNIX time; 0 while it goes on. `outcome` says how.
        unsure: an earlier agent saw it, this one has not seen it yet.
    """

    id: int
    key: str
    experiment: str = ""
    level: Level = "fail"
    text: str
    hint: str = ""
    ends: bool = True
    began: float
    last: float
    count: int = 1
    told: float = 0.0
    acknowledged_by: str = ""
    acknowledged_at: float = 0.0
    snoozed_until: float = 0.0
    snoozed_by: str = ""
    owner: str = ""
    note: str = ""
    ended: float = 0.0
    outcome: str = ""
    unsure: bool = False

    def state(self, now: float) -> PageState:
        """Where it stands at a UNIX time."""
        if self.ended:
            return "ended"
        if self.acknowledged_by:
            return "acknowledged"
        return "snoozed" if self.snoozed_until > now else "open"


class ReceiverStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver of pages; nothing of its address or its key.

    Attributes:
        waiting: messages that it has not taken yet.
        failing_since: UNIX time of the first failure in a row; 0 where the last message was taken.
        problem: why it does not take them.
    """

    name: str
    kind: str
    waiting: int = 0
    failing_since: float = 0.0
    problem: str = ""


class PageList(msgspec.Struct, frozen=True, kw_only=True):
    """Open pages and the last that ended, oldest first, and who is told of them."""

    now: float
    pages: tuple[Page, ...] = ()
    receivers: tuple[ReceiverStatus, ...] = ()


class PageCounts(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """How many pages of a host go on, by who has them.

    Attributes:
        nobody: neither acknowledged nor snoozed.
        taken: acknowledged.
        deaf: receivers that do not take their messages.
    """

    nobody: int = 0
    snoozed: int = 0
    taken: int = 0
    deaf: int = 0

    @property
    def going_on(self) -> int:
        """All of them."""
        return self.nobody + self.snoozed + self.taken


class Acknowledge(Change, kw_only=True, frozen=True):
    """Somebody has it: it is not repeated any more."""

    note: Annotated[str, Meta(max_length=1000)] = ""


class Snooze(Change, kw_only=True, frozen=True):
    """Not repeated for so many seconds; a new cause pages all the same."""

    seconds: Annotated[float, Meta(gt=0, le=MOST_SNOOZE_S)]


def parse_snooze(text: str) -> float:
    """``30m`` to seconds.

    Raises:
        InputError: it is no length of time, or too long.
    """
    seconds = parse_duration(text)
    if not 0 < seconds <= MOST_SNOOZE_S:
        raise InputError(f"{text} is too long or nothing.", "A page can be snoozed for up to 7d.")
    return seconds


class HandOver(Change, kw_only=True, frozen=True):
    """Another person takes it: they are told, and must acknowledge it themselves."""

    to: Annotated[str, Meta(min_length=1, max_length=200)]
    note: Annotated[str, Meta(min_length=1, max_length=1000)]
