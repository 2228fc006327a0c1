"""What may be removed from a host's disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

STAGING_KEPT_S = 86_400.0
"""A transfer that nobody went on with for a day is given up."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A model, or what is left of a transfer.

    Attributes:
        touched_at: UNIX time of the last byte of a transfer; None for a model.
        users: engines, profiles and experiments that name it; for a transfer, that it goes on right now.
    """

    name: str
    bytes: int
    touched_at: float | None = None
    users: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate: it goes, or why it stays."""

    name: str
    bytes: int
    what: str
    goes: bool
    why: str


def decide(candidates: Iterable[Candidate], named: Collection[str], unused: bool, now: float) -> tuple[Verdict, ...]:
    """A verdict on each candidate.

    Models go only when they are named, or with `unused`, and never while anything uses them. Left-overs of transfers go
    when nobody touched them for a day.
    """
    return tuple(_verdict(one, one.name in named, unused, now) for one in candidates)


def _verdict(one: Candidate, named: bool, unused: bool, now: float) -> Verdict:
    what = "model" if one.touched_at is None else "left-over of a transfer"

    def verdict(goes: bool, why: str) -> Verdict:
        return Verdict(name=one.name, bytes=one.bytes, what=what, goes=goes, why=why)

    if one.users:
        return verdict(False, f"used by {', '.join(one.users)}")
    if one.touched_at is not None:
        # A clock that was set back must not make a transfer of this minute look old.
        hours = max(0.0, now - one.touched_at) / 3600
        return verdict(hours * 3600 >= STAGING_KEPT_S, f"nobody went on with it for {hours:.0f} h")
    if named:
        return verdict(True, "named, and nothing uses it")
    return verdict(unused, "nothing uses it" if unused else "nothing uses it, but it was not named")
