"""One experiment on several gateways: (what each says of it, what is pending, now) -> what to ask of whom.

Each gateway's agent judges its own traffic and rolls back by itself. What one has found holds for all: its latch is
carried to every gateway whose last clear is older. Weights are left alone: a plan moves each gateway on at its own pace
(`quantdeck_core.rollout.lowest` is for those who want it otherwise).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from quantdeck_core.rollout.said import Said
from quantdeck_core.rollout.wish import KEPT_S, Wish

CARRIED = "rolled back on "
"""How the reason of a carried rollback begins; what is carried further keeps its first host."""

Key = tuple[str, str, str]
"""Experiment, host and request id."""
End = Literal["done", "already", "gone", "cleared", "taken-back", "expired"]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A wish that is over.

    Attributes:
        kind: `done` where it had been asked for and everyone is on the control; all others were not carried out.
    """

    wish: Wish
    kind: End
    text: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now.

    Attributes:
        ask: send these now, with the revision that was seen.
        keep: all wishes that are open; they belong on a disk before anything is sent.
        waiting: of those, the ones that the host's agent has taken over: it goes on by itself.
    """

    ask: tuple[Wish, ...] = ()
    keep: tuple[Wish, ...] = ()
    waiting: tuple[Wish, ...] = ()
    ended: tuple[Ended, ...] = ()


def decide(
    experiment: str,
    hosts: Iterable[str],
    said: Mapping[str, Said],
    wishes: Iterable[Wish],
    *,
    asked: Collection[Key],
    answered: Mapping[Key, int],
    by: str,
    now: float,
) -> Decision:
    """What is to be asked of whom.

    Args:
        hosts: the fleet.
        said: by host; who was never heard is missing.
        wishes: those of this experiment that are open: people's, and latches that were carried before.
        asked: what was sent at least once.
        answered: what an agent has acknowledged, never sent again: the revision that it named. An answer alone does not
            end a wish: it may be that of an earlier time, before somebody cleared what was done then.
        by: who carries.
        now: UNIX time.
    """
    latches = {host: _latches_for(experiment, host, said, by) for host in hosts}
    valid = {one.key for found in latches.values() for one in found}
    known = {one.key for one in wishes}
    fresh = [found[0] for host, found in latches.items() if _is_new(found, known, said.get(host))]
    ask, keep, waiting, ended = [], [], [], []
    for wish in (*wishes, *fresh):
        target = said.get(wish.host)
        sent = (experiment, wish.host, wish.request_after(target.cleared if target else 0.0))
        end = _end(wish, target, said, wish.key in valid, sent in asked, now)
        if not end and target and sent in answered and not target.latched and target.revision >= answered[sent]:
            end = "cleared"
        if end:
            ended.append(Ended(wish=wish, kind=end, text=_words(wish, end)))
            continue
        keep.append(wish)
        if target is None or not target.reachable:
            continue
        if target.waiting or (target.latched and not target.effective):
            waiting.append(wish)
        elif target.runs and not target.latched and sent not in answered:
            ask.append(wish)
    return Decision(ask=tuple(ask), keep=tuple(keep), waiting=tuple(waiting), ended=tuple(ended))


def _latches_for(experiment: str, host: str, said: Mapping[str, Said], by: str) -> list[Wish]:
    """The latches of other gateways that hold for this one, the newest first: those after its last clear."""
    target = said.get(host)
    after = target.cleared if target else 0.0
    latches = [one for one in said.values() if one.host != host and one.runs and one.latched and one.began > after]
    latches.sort(key=lambda one: (one.began, one.host), reverse=True)
    return [_carry(experiment, one, host, by) for one in latches]


def _is_new(found: list[Wish], known: Collection[Key], target: Said | None) -> bool:
    """Whether the newest is to be put on this gateway, and none that began as late is on its way."""
    if not found:
        return False
    if target and (target.latched or not target.runs) and target.heard >= found[0].asked:
        # It may have been cleared since then, but after all that is to be carried.
        return False
    # An older one does not do: where it was cleared, unheard, the newer one still holds.
    return all(one.key not in known for one in found if one.asked >= found[0].asked)


def _carry(experiment: str, latch: Said, host: str, by: str) -> Wish:
    """One request id for each host and incident, whoever carries it and however often they are started again."""
    incident = f"{experiment}\n{latch.host}\n{latch.stamp!r}\n{host}"
    reason = latch.reason if latch.reason.startswith(CARRIED) else f"{CARRIED}{latch.host}: {latch.reason}"
    return Wish(
        experiment=experiment,
        host=host,
        request_id=f"carried-{hashlib.sha256(incident.encode()).hexdigest()[:24]}",
        by=by,
        reason=reason,
        asked=latch.began,
        made=latch.began,
        source=latch.host,
    )


def _end(wish: Wish, target: Said | None, said: Mapping[str, Said], valid: bool, asked: bool, now: float) -> End | None:
    """Why a wish is over; None while it is open."""
    if target and target.reachable and target.heard >= wish.asked:
        if not target.runs:
            return "gone"
        if target.settled:
            return "done" if asked else "already"
        if target.latched:
            return None
    if target and target.cleared >= wish.asked:
        return "cleared"
    source = said.get(wish.source)
    # A source that is out of reach was last heard before this latch, unless it says that it was cleared later.
    if source and (source.cleared >= wish.asked or (source.reachable and not valid)):
        return "taken-back"
    if not valid and now - wish.asked > KEPT_S:
        return "expired"
    return None


def _words(wish: Wish, end: End) -> str:
    match end:
        case "done":
            return "everyone is on the control"
        case "already":
            return "it is rolled back there already; nothing was asked"
        case "gone":
            return "not carried out: the experiment does not run there any more"
        case "cleared":
            return "not carried out: somebody has cleared a rollback there since it was asked for"
        case "taken-back":
            return f"not carried out: the rollback on {wish.source} is cleared"
        case "expired":
            return (
                f"NOT carried out: {wish.by} asked for it more than {KEPT_S / 3600:.0f} h ago ({wish.reason}). "
                f"Look at it, and if it is still right: quantdeck rollback {wish.experiment} --reason ..."
            )
