"""The lowest treatment weight wins, for those who want one weight on all gateways.

Not so by default: a plan raises each gateway's weight when that gateway's own gates are open, so they are rarely equal,
and a weight that is set by hand pauses the plan: carrying each difference would hold the whole fleet at its slowest
gateway and stop every plan. A rollback's 0 always wins; that is the latch (`quantdeck_core.rollout.several`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.protocol.requests import ChangeWeight
from quantdeck_core.rollout.said import Said

SETTLE_S = 60.0
"""Weights that differ for less are a change on its way from gateway to gateway."""


class Lowering(msgspec.Struct, frozen=True, kw_only=True):
    """A weight that is to fall on one gateway."""

    host: str
    change: ChangeWeight


def lowered(experiment: str, said: Iterable[Said], by: str, now: float) -> tuple[Lowering, ...]:
    """What gateways with more than the lowest weight are to be asked.

    One that is rolled back does not count, since its 0 is carried as a latch; one that is out of reach does, as last
    heard.

    Args:
        now: UNIX time.
    """
    split = [one for one in said if one.runs and not one.latched and not one.waiting]
    if not split:
        return ()
    lowest = min(split, key=lambda one: (one.weight_bp, one.host))
    return tuple(
        Lowering(host=one.host, change=_change(experiment, one, lowest, by))
        for one in split
        if one.reachable and one.weight_bp > lowest.weight_bp and now - max(one.since, lowest.since) >= SETTLE_S
    )


def _change(experiment: str, one: Said, lowest: Said, by: str) -> ChangeWeight:
    key = f"{experiment}\n{one.host}\n{one.revision}\n{lowest.weight_bp}"
    return ChangeWeight(
        request_id=f"lowest-{hashlib.sha256(key.encode()).hexdigest()[:24]}",
        by=by,
        weight_bp=lowest.weight_bp,
        revision=one.revision,
        reason=f"the lowest weight wins: {bp_to_percent(lowest.weight_bp)} % on {lowest.host}",
    )
