"""A change of weight before it is sent: who moves, in which direction, what it does, and as which request."""

from __future__ import annotations

from uuid import uuid4

from quantdeck_core.fleet.cells import count, number, plural, split, weight
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import ChangeWeight


def change_of(now_bp: int, new_bp: int) -> str:
    """The split before and after: ``90/10 -> 45/55``."""
    return f"stays {split(now_bp)}" if new_bp == now_bp else f"{split(now_bp)} -> {split(new_bp)}"


def who_moves(experiment: ExperimentStatus, new_bp: int) -> str:
    """Which share of the users, how many of those seen, and in which direction: ``up: 40 % of users ...``."""
    now_bp, control, treatment = experiment.state.weight_bp, experiment.control, experiment.treatment
    if new_bp == now_bp:
        return "nobody moves"
    moved = f"{weight(abs(new_bp - now_bp))} of users"
    if new_bp > now_bp:
        seen = _of_those_seen(control.users, new_bp - now_bp, BUCKETS - now_bp, "control")
        return f"up: {moved} move to the treatment{seen}; nobody moves back"
    seen = _of_those_seen(treatment.users, now_bp - new_bp, now_bp, "treatment")
    return f"down: {moved} go back to the control{seen}; nobody else moves"


def effects(experiment: ExperimentStatus, new_bp: int, rps: float | None) -> list[str]:
    """What else it does, a sentence each.

    Args:
        rps: requests a second of the experiment; None where they are not known.
    """
    now_bp = experiment.state.weight_bp
    if new_bp == now_bp:
        return []
    under_way = experiment.control.in_flight + experiment.treatment.in_flight
    said = [f"{plural(under_way, 'request')} under way: answered where they are"]
    if rps:
        now, then = (number(rps * share / BUCKETS) for share in (now_bp, new_bp))
        said.append(f"expected: {then} of {number(rps)} requests/s on the treatment, {now} now")
    if experiment.progress and experiment.progress.phase != "done":
        said.append(f"the plan {experiment.progress.name} is paused by it")
    return said


def doubts(experiment: ExperimentStatus, new_bp: int) -> list[str]:
    """What speaks against raising it, a sentence each."""
    if new_bp <= experiment.state.weight_bp:
        return []
    verdict, said = experiment.verdict, []
    if verdict.kind in ("watch", "breach", "control-unhealthy"):
        said.append(f"{verdict.kind}: {verdict.reason}")
    elif verdict.kind == "inconclusive" and experiment.state.weight_bp:
        said.append(f"no verdict yet: {verdict.reason}")
    if not experiment.rollback.can:
        said.append(f"nobody could be put back now: {experiment.rollback.why}")
    if new_bp == BUCKETS:
        said.append("nobody stays on the control: there is nothing left to compare with")
    return said


def needs_name(now_bp: int, new_bp: int) -> bool:
    """A shift of everyone leaves no control to compare with: it asks for the experiment's name."""
    return new_bp == BUCKETS and now_bp < BUCKETS


def needs_reason(experiment: ExperimentStatus, new_bp: int) -> bool:
    """Raising the weight past a plan is recorded with a reason."""
    return experiment.progress is not None and new_bp > experiment.state.weight_bp


class WeightRequests:
    """The same wish, based on the same revision, keeps its request id: a repeat after a lost answer applies once."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._ids: dict[tuple[int, int, str], str] = {}

    def request(self, weight_bp: int, revision: int, reason: str) -> ChangeWeight:
        """The message for a weight, based on the revision that the asker saw."""
        request_id = self._ids.setdefault((weight_bp, revision, reason), uuid4().hex)
        return ChangeWeight(request_id=request_id, by=self._by, weight_bp=weight_bp, revision=revision, reason=reason)


def _of_those_seen(users: int, moved_bp: int, of_bp: int, arm: str) -> str:
    return f", about {count(round(users * moved_bp / of_bp))} of {count(users)} seen on the {arm}" if users else ""
