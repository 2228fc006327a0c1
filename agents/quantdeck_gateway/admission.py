"""What happens to a request when an arm is busy: pure functions of the arm's load, its limits and the priority.

The lesson's incident is a queue without a bound. Here an arm goes up a ladder instead: requests wait; then
answers are cut shorter; then users are answered by the other arm, where the policy allows; then the least important
requests are refused at once, with the time after which they may come again.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

from quantdeck_core.protocol.gateway import Limits, Priority
from quantdeck_gateway.limits import QUEUED_BYTES
from quantdeck_gateway.queue import RANK

SHARE: dict[Priority, float] = {"high": 1.0, "normal": 0.75, "low": 0.5}
"""How much of the queue each may fill, so that the more important still find a place in it."""
CAP_AT, SPILL_AT = 0.25, 0.5
"""Shares of the queue, in places or in seconds, from which answers are capped and users spilled."""
SURE = 0.75
"""Who is expected to wait longer than this share of the longest wait is shed: the expectation errs, and a place in the
queue is only worth having if it leads to an answer."""
MAX_RETRY_S = 60


class Rung(IntEnum):
    """How far up the ladder an arm is."""

    NORMAL = 0
    QUEUE = 1
    CAP = 2
    SPILL = 3
    SHED = 4


class Load(NamedTuple):
    """An arm at one moment.

    Attributes:
        room: how many may be in flight now: the limit, or less while the engines say that it is too much.
        waiting: by priority, high first.
        displaceable: bytes of the youngest that waits with low priority; None without one.
        rate: requests that its engines finish a second while they are full; None before it is known.
        pressed: its engines say that they are full.
        refused: the highest priority that was lately shed, as its rank; who ranks below it does not get in either.
    """

    in_flight: int
    room: int
    waiting: tuple[int, int, int] = (0, 0, 0)
    waiting_bytes: int = 0
    displaceable: int | None = None
    rate: float | None = None
    pressed: bool = False
    refused: int = len(RANK)


class Admit(NamedTuple):
    """It goes to an engine now.

    Attributes:
        cap: its longest answer, tokens; None leaves it as it was asked.
        spilled: to one of the other arm.
    """

    cap: int | None = None
    spilled: bool = False


class Wait(NamedTuple):
    """It waits for a place.

    Attributes:
        displaces: the youngest of low priority is shed for it.
    """

    displaces: bool = False


class Shed(NamedTuple):
    """It is refused with 429.

    Attributes:
        retry_after: seconds after which it may come again.
    """

    retry_after: int


Decision = Admit | Wait | Shed


def decide(load: Load, limits: Limits, priority: Priority, size: int, rung: Rung, spill_open: bool) -> Decision:
    """What becomes of a request that arrives now.

    Args:
        size: bytes that it would hold while it waits.
        rung: the arm's, which comes down only after some calm.
        spill_open: the other arm may take users of this one, and has room.
    """
    spill_open = spill_open and limits.spill
    if not any(load.waiting) and load.in_flight < load.room:
        return Admit(cap_of(limits, rung))
    level = level_of(load, limits, spill_open)
    fits = _fits(load, limits, priority, size)
    if spill_open and (level >= Rung.SPILL or not fits):
        return Admit(cap_of(limits, max(rung, level)), spilled=True)
    if fits:
        return Wait()
    if priority == "high" and _fits_for_another(load, limits, size):
        return Wait(displaces=True)
    return Shed(retry_after(load, limits))


def level_of(load: Load, limits: Limits, spill_open: bool) -> Rung:
    """The rung that this load alone calls for; `SHED` comes from shedding only."""
    waiting = sum(load.waiting)
    pressed = Rung.NORMAL
    if load.pressed:
        pressed = Rung.CAP if limits.cap_tokens else Rung.QUEUE
    if not waiting and load.in_flight < load.room:
        return pressed
    places = waiting / limits.max_queue if limits.max_queue else 1.0
    fill = max(places, wait_s(load, waiting) / limits.queue_s)
    if spill_open and limits.spill and fill >= SPILL_AT:
        return Rung.SPILL
    return max(pressed, Rung.CAP if limits.cap_tokens and fill >= CAP_AT else Rung.QUEUE)


def cap_of(limits: Limits, rung: Rung) -> int | None:
    """The longest answer on a rung, tokens; None where answers are not cut."""
    return limits.cap_tokens if rung >= Rung.CAP else None


def wait_s(load: Load, position: int) -> float:
    """How long whoever has this position in the queue is expected to wait, seconds; 0 where nobody knows yet."""
    if load.rate is None or not position:
        return 0.0
    return position / load.rate if load.rate > 0 else math.inf


def retry_after(load: Load, limits: Limits) -> int:
    """Whole seconds until those who wait now should have their places."""
    expected = wait_s(load, sum(load.waiting) + 1) or limits.queue_s
    return max(1, math.ceil(min(expected, MAX_RETRY_S)))


def _fits(load: Load, limits: Limits, priority: Priority, size: int) -> bool:
    rank, share = RANK[priority], SHARE[priority]
    return (
        rank <= load.refused
        and sum(load.waiting) < math.ceil(limits.max_queue * share)
        and load.waiting_bytes + size <= QUEUED_BYTES * share
        and _soon_enough(load, limits, rank)
    )


def _fits_for_another(load: Load, limits: Limits, size: int) -> bool:
    if load.displaceable is None:
        return False
    fewer = load.waiting_bytes - load.displaceable + size
    return fewer <= QUEUED_BYTES and _soon_enough(load, limits, RANK["high"])


def _soon_enough(load: Load, limits: Limits, rank: int) -> bool:
    return wait_s(load, sum(load.waiting[: rank + 1]) + 1) <= limits.queue_s * SURE
