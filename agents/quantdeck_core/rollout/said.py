"""What one gateway says of an experiment, as far as other gateways are concerned."""

from __future__ import annotations

import msgspec

from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.requests import Rollback
from quantdeck_core.rollout.wish import Wish

CLOCK_OFF_S = 5.0
"""A reading of a host's clock is up to a second old when it arrives. What differs by more is a clock that is wrong."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Of one experiment on one host, as last heard. All times are UNIX seconds of the listener's clock.

    Attributes:
        reachable: it can be asked now, and what is said here was said since it can be.
        heard: when it last said anything; up to then this is how it stood.
        runs: it runs the experiment, and has not finished it.
        latched: rolled back; `effective` is whether its gateway has acknowledged the present weight.
        waiting: a rollback waits there for the control.
        since: of the last change of the weight.
        began: of a latch, when its rollback was first decided, wherever that was.
        cleared: of the last clear, 0 for never.
        stamp: `since` by the host's own clock: it names a latch whatever clocks do.
        off_s: how far its clock is ahead of the listener's.
    """

    host: str
    reachable: bool
    heard: float = 0.0
    runs: bool = True
    latched: bool = False
    effective: bool = True
    waiting: bool = False
    since: float = 0.0
    began: float = 0.0
    cleared: float = 0.0
    stamp: float = 0.0
    off_s: float = 0.0
    weight_bp: int = 0
    revision: int = 0
    by: str = ""
    reason: str = ""

    @property
    def settled(self) -> bool:
        """Everyone is on the control."""
        return self.latched and self.effective


def said_of(view: HostView, experiment: str, heard: float, ahead_s: float = 0.0) -> Said | None:
    """What a host says; None where nothing was heard of it yet.

    Args:
        heard: UNIX time of its last message.
        ahead_s: how far its clock is ahead of ours; less than `CLOCK_OFF_S` is taken for the way of the message.
    """
    if view.status is None:
        return None
    off = ahead_s if abs(ahead_s) >= CLOCK_OFF_S else 0.0
    found, reachable = view.experiment(experiment), can_ask(view)
    if found is None or found.finished:
        return Said(host=view.name, reachable=reachable, heard=heard, runs=False)
    state = found.state
    return Said(
        host=view.name,
        reachable=reachable,
        heard=heard,
        latched=state.latched,
        effective=found.effective,
        waiting=state.pending is not None,
        since=state.since - off,
        began=state.began - off if state.began else 0.0,
        cleared=state.cleared - off if state.cleared else 0.0,
        stamp=state.since,
        off_s=off,
        weight_bp=state.weight_bp,
        revision=state.revision,
        by=state.by,
        reason=state.reason,
    )


def request_of(wish: Wish, seen: Said) -> Rollback:
    """What to send for a wish, based on what its host has said."""
    return Rollback(
        request_id=wish.request_after(seen.cleared),
        by=wish.by,
        reason=wish.reason,
        revision=seen.revision,
        began=wish.asked + seen.off_s,
    )


def heard_now(view: HostView) -> bool:
    """Whether it is connected and has said how it stands since then.

    What was heard before may be outdated: somebody may have cleared a latch while the link was down.
    """
    if view.link.state != "connected" or view.heard_at is None or view.linked_at is None:
        return False
    return view.heard_at >= view.linked_at


def can_ask(view: HostView) -> bool:
    """Whether it takes changes, and it is known how it stands."""
    return heard_now(view) and not view.link.read_only and view.link.role != "viewer"
