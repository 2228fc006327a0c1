"""One experiment over all gateways that run it: where it is rolled back, how fast that was, and where not yet."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quantdeck_core.fleet.cells import clock, duration, listed, plural, weight
from quantdeck_core.fleet.state import FleetState, HostView
from quantdeck_core.protocol.experiment import ExperimentStatus, TimelineEntry
from quantdeck_core.rollout.events import SYSTEM
from quantdeck_core.rollout.several import CARRIED

_WELL = ("healthy",)
_TROUBLE = ("watch", "breach")


class RolledBack(msgspec.Struct, frozen=True, kw_only=True):
    """A rollback over the gateways of an experiment.

    Attributes:
        first: the host that it began on, with its `reason`; `by` whom and `at` what UNIX time of that host's clock.
        since: UNIX time at which the judge began to say that something is wrong; None where it said so only then.
        done: gateways that are on the control and say so now, of `total`; who has nobody on it anyway does not count.
        took_ms: of the slowest of them, from the finding to weight 0; None where none was measured.
        unacknowledged: hosts whose gateway has not acknowledged it yet.
        left: hosts that still have users on the treatment, with their weights in basis points.
        silent: hosts that are out of reach and ran it when they were last heard.
    """

    experiment: str
    first: str
    reason: str
    by: str
    at: float
    since: float | None
    done: tuple[str, ...]
    total: int
    took_ms: float | None
    unacknowledged: tuple[str, ...]
    left: tuple[tuple[str, int], ...]
    silent: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Where and how fast, or where users are still on it: ``... on 2 of 3 gateways; NOT on gpu-9``."""
        by = "" if self.by == SYSTEM else f" by {self.by}"
        took = f" in {duration(self.took_ms)}" if self.took_ms is not None and not self.left else ""
        said = [f"Rolled back {clock(self.at)}{by} on {len(self.done)} of {plural(self.total, 'gateway')}{took}"]
        if self.left:
            said.append(f"NOT on {listed([f'{host} ({weight(bp)})' for host, bp in self.left], 2)}")
        if self.unacknowledged:
            said.append(f"not acknowledged by {listed(self.unacknowledged, 2)}")
        if self.silent:
            said.append(f"{listed(self.silent, 2)} out of reach")
        return "; ".join(said)


def rolled_back(state: FleetState, experiment: str) -> RolledBack | None:
    """How an experiment's rollback stands; None where it is rolled back nowhere."""
    views = [(view, one) for view in state.running(experiment) if (one := view.experiment(experiment))]
    running = [(view, one) for view, one in views if not one.finished and (one.state.latched or one.state.weight_bp)]
    latched = [(view, one) for view, one in running if one.state.latched]
    if not latched:
        return None
    first, found = min(latched, key=_began)
    near = [(view, one) for view, one in running if view.link.state == "connected"]
    done = [(view, one) for view, one in near if one.state.latched and one.effective]
    took = [ms for _, one in done if (ms := took_ms(one)) is not None]
    return RolledBack(
        experiment=experiment,
        first=first.name,
        reason=found.state.reason,
        by=found.state.by,
        at=found.state.since,
        since=troubled_since(found.timeline, found.state.since),
        done=tuple(view.name for view, _ in done),
        total=len(running),
        took_ms=max(took, default=None),
        unacknowledged=tuple(view.name for view, one in near if one.state.latched and not one.effective),
        left=tuple((view.name, one.state.weight_bp) for view, one in near if not one.state.latched),
        silent=tuple(view.name for view, _ in running if view.link.state != "connected"),
    )


def took_ms(experiment: ExperimentStatus) -> float | None:
    """Milliseconds from the finding, wherever that was, to weight 0 on this gateway; None where that is not known."""
    record, state = experiment.last_rollback, experiment.state
    if record is None or record.at < state.since:
        return None
    here = record.effective_ms if record.detection_to_zero_ms is None else record.detection_to_zero_ms
    return max(here, (record.at - state.began) * 1000) if state.began else here


def troubled_since(timeline: Iterable[TimelineEntry], until: float) -> float | None:
    """When the judge began to complain of what was rolled back then; None where that was less than a minute before."""
    since: float | None = None
    for entry in timeline:
        if entry.t > until or entry.kind != "verdict":
            since = None if entry.kind in ("clear", "create") else since
        elif entry.text.startswith(_WELL):
            since = None
        elif entry.text.startswith(_TROUBLE):
            since = entry.t if since is None else since
    return since if since is not None and until - since >= 60.0 else None


def _began(one: tuple[HostView, ExperimentStatus]) -> tuple[bool, float]:
    state = one[1].state
    return state.reason.startswith(CARRIED), state.began or state.since
