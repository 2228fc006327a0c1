"""Ramps, cuts, kills, freezes, rollbacks, clears and promotions in any order: what must hold whatever happens.

The machine under test is driven as an agent drives it: a transition counts as acknowledged once it is on disk; a kill
throws away what is not, and the next agent reads the disk. Beside it stands a model that is told only of the events and
keeps its own clock.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quantdeck_core.errors import QuantdeckError
from quantdeck_core.rollout.events import (
    MAX_ELAPSED_S,
    Aborted,
    Finished,
    Gates,
    LatchCleared,
    Paused,
    Promoted,
    Resumed,
    RollbackAsked,
    RolloutStarted,
    Tick,
    Transition,
    TreatmentFailed,
    WeightAsked,
)
from quantdeck_core.rollout.machine import step
from quantdeck_core.rollout.plan import PlanStep, RolloutPlan
from quantdeck_core.rollout.state import RolloutState, stage_of
from support.rollouts import gates

PLANS = [
    RolloutPlan(
        name=name,
        experiment="e",
        steps=tuple(PlanStep(weight_bp=weight, soak_s=soak, min_outputs=8) for weight, soak in steps),
        hold_back_bp=hold_back,
        missing_deadline_s=12.0,
        skip_soak_reason="a test",
    )
    for name, hold_back, steps in (
        ("short", 200, ((1_000, 6.0), (9_800, 4.0))),
        ("long", 200, ((100, 3.0), (1_000, 6.0), (5_000, 6.0), (9_800, 3.0))),
        ("all", 0, ((500, 4.0), (10_000, 4.0))),
        ("half", 200, ((300, 0.0), (4_000, 5.0))),
        ("slow", 200, ((1_000, 40.0), (9_800, 4.0))),
    )
]

Condition = dict[str, Any]
WRONG: dict[str, list[Any]] = {
    "verdict": ["watch", "breach", "inconclusive", "control-unhealthy"],
    "metrics_fresh": [False],
    "slo_ok": [False],
    "errors_ok": [False],
    "canary": ["failed", "missing"],
    "latency_profile": [False],
    "control_ready": [False],
    "treatment_ready": [False],
    "can_roll_back": [False],
    "frozen": ["bo: holidays"],
    "serves": ["a", "b"],
}
FEW_WRONG = [
    {},
    {"metrics_fresh": False, "control_ready": False},
    *({key: value} for key, values in WRONG.items() for value in values),
]
WORLDS = st.sampled_from(FEW_WRONG) | st.fixed_dictionaries(
    {}, optional={key: st.sampled_from(WRONG[key]) for key in WRONG}
)
"""Nothing wrong, one thing, which is what a forgotten gate lets through, or several."""
ELAPSED = st.sampled_from([0.0, 1.0, 3.0, 3_600.0, 3_600.0, -3_600.0, math.nan, math.inf])
FRESH = st.sampled_from([True, True, True, True, False])
"""Whether a request carries the present revision, or a stale one."""
LOST = st.sampled_from([False, False, False, False, True])
"""Whether the agent is killed before what it decided is on disk."""


class Rollouts(RuleBasedStateMachine):
    """An agent, its disk, and what it told people."""

    @initialize(plan=st.sampled_from([None, *PLANS]), high=st.sampled_from([True, True, False]))
    def begin(self, plan: RolloutPlan | None, high: bool) -> None:
        """An experiment, perhaps with a plan, and that perhaps well on its way."""
        self.state = RolloutState()
        self.disk = msgspec.json.encode(self.state)
        self.acknowledged = self.state
        self.now, self.outputs = 1_000.0, 0
        self.at_weight_s, self.at_weight_outputs = 0.0, 0
        self.rolled_back = False
        """A rollback was acknowledged and no clear since."""
        self.waiting = False
        """A rollback was acknowledged that waits for the control."""
        if plan:
            self.apply(RolloutStarted(plan=plan, revision=1, by="ana"))
            for _ in range(8 if high else 1):
                self.ticked(gates(), 5.0, 8)

    # What the agent does with an event

    def apply(self, event: Any, *, lost: bool = False) -> Transition | None:
        """Step, persist, acknowledge; `lost`: killed before it was persisted."""
        before = self.state
        try:
            transition = step(before, event, self.now)
        except QuantdeckError:
            return None
        self.check(before, transition)
        if lost:
            self.kill()
            return None
        self.state = transition.state
        if transition.kind:
            self.disk = msgspec.json.encode(self.state)
            self.acknowledged = self.state
        if self.state.weight_bp != before.weight_bp or self.state.latched != before.latched:
            self.at_weight_s, self.at_weight_outputs = 0.0, 0
        return transition

    def check(self, before: RolloutState, transition: Transition) -> None:
        """What holds of every transition."""
        after = transition.state
        told = transition.kind not in ("", "alarm")
        assert after.revision == before.revision + told
        if not transition.kind:
            assert (after.weight_bp, after.stage, after.pending) == (before.weight_bp, before.stage, before.pending)
        if transition.alert or told:
            assert transition.text

    def revision(self, fresh: bool) -> int:
        return self.state.revision if fresh else self.state.revision - 1

    # Time and the world

    @rule(world=st.just({}) | WORLDS, elapsed=ELAPSED, heard=st.integers(0, 8), lost=LOST)
    def tick(self, world: Condition, elapsed: float, heard: int, lost: bool) -> None:
        """One tick in any world."""
        self.ticked(gates(**world), elapsed, heard, lost=lost)

    @precondition(lambda self: self.state.run)
    @rule(ticks=st.sampled_from([2, 4, 16]))
    def climb(self, ticks: int) -> None:
        """Somebody lets it go on, and all is well for a while."""
        self.apply(Resumed(revision=self.state.revision, by="ana"))
        for _ in range(ticks):
            self.ticked(gates(), 5.0, 8)

    @precondition(lambda self: self.state.run)
    @rule(then=WORLDS, heard=st.sampled_from([8, 8, 0]))
    def ripen(self, then: Condition, heard: int) -> None:
        """Only a freeze keeps it from the next step; and then something else does, or nothing."""
        weight = self.state.weight_bp
        for _ in range(4):
            self.ticked(gates(frozen="bo: holidays"), 5.0, heard)
        assert self.state.weight_bp in (0, weight)
        self.ticked(gates(**then), 5.0, heard)

    @rule(count=st.integers(2, 5), world=WORLDS)
    def ticks_in_one_world(self, count: int, world: Condition) -> None:
        """Some time in which the same is wrong."""
        for _ in range(count):
            self.ticked(gates(**world), 5.0, 0)

    @rule(count=st.integers(1, 4), control_ready=st.booleans())
    def nothing_is_heard(self, count: int, control_ready: bool) -> None:
        """Long enough, and everyone goes back: onto a control that lives."""
        for _ in range(count):
            self.ticked(gates(metrics_fresh=False, control_ready=control_ready), 5.0, 0)

    def ticked(self, world: Gates, elapsed: float, heard: int, *, lost: bool = False) -> None:
        self.outputs += heard
        world = msgspec.structs.replace(world, outputs=self.outputs)
        counts = min(elapsed, MAX_ELAPSED_S) if math.isfinite(elapsed) and elapsed > 0 else 0.0
        self.at_weight_s += counts
        self.at_weight_outputs += heard
        before, waited = self.state, self.waiting
        soaked_s, outputs = self.at_weight_s, self.at_weight_outputs
        after = step(before, Tick(elapsed_s=elapsed, gates=world), self.now).state
        assert after.missing_s <= before.missing_s + counts
        if before.run and after.run:
            assert after.run.soaked_s <= before.run.soaked_s + counts
        if after.weight_bp > before.weight_bp:
            self.rise_is_allowed(before, after, world, soaked_s, outputs)
        if after.weight_bp < before.weight_bp:
            assert after.latched
            assert world.control_ready, "rolled back onto a dead control"
        if waited and world.control_ready and before.pending:
            assert after.latched
        self.apply(Tick(elapsed_s=elapsed, gates=world), lost=lost)
        if self.state.latched:
            self.rolled_back, self.waiting = True, False
        elif self.state.pending:
            self.waiting = True

    def rise_is_allowed(
        self, before: RolloutState, after: RolloutState, world: Gates, soaked_s: float, outputs: int
    ) -> None:
        """Automation raised the weight: then nothing at all spoke against it."""
        run = before.run
        assert run is not None
        assert not before.latched
        assert not before.pending
        assert not before.finished
        assert run.paused is None
        assert not world.frozen
        assert world.metrics_fresh
        assert world.control_ready
        assert world.treatment_ready
        assert world.can_roll_back
        assert world.canary == "passed"
        if before.weight_bp == 0:
            assert world.latency_profile
            assert world.verdict in ("healthy", "inconclusive")
        else:
            assert world.verdict == "healthy"
            assert world.slo_ok
            assert world.errors_ok
        weights = [one.weight_bp for one in run.plan.steps]
        assert after.weight_bp == min(weight for weight in weights if weight > before.weight_bp)
        if before.weight_bp >= weights[0]:
            assert soaked_s >= run.current.soak_s
            assert outputs >= run.current.min_outputs

    @rule(seconds=st.sampled_from([3_600.0, -3_600.0, 0.5]))
    def the_clock_jumps(self, seconds: float) -> None:
        """Wall clock only."""
        self.now += seconds

    @rule()
    def kill(self) -> None:
        """Another agent reads the disk; its counter of answers begins anew."""
        before = self.acknowledged
        self.state = msgspec.json.decode(self.disk, type=RolloutState)
        assert self.state == before, "an acknowledged transition was lost"
        self.outputs = 0

    # What people do

    @rule(plan=st.sampled_from(PLANS), fresh=FRESH, lost=LOST)
    def start(self, plan: RolloutPlan, fresh: bool, lost: bool) -> None:
        """Refused while another runs."""
        running = self.state.run is not None and not self.state.run.done
        done = self.apply(RolloutStarted(plan=plan, revision=self.revision(fresh), by="ana"), lost=lost)
        assert not (done and (running or not fresh))

    @rule(weight=st.sampled_from([0, 300, 1_000, 3_000, 9_800, 10_000]), fresh=FRESH, lost=LOST)
    def set_weight(self, weight: int, fresh: bool, lost: bool) -> None:
        """A ramp or a cut by hand."""
        event = WeightAsked(weight_bp=weight, revision=self.revision(fresh), by="ana", reason="by hand")
        before = self.state
        if self.apply(event, lost=lost) and self.state.weight_bp > before.weight_bp:
            assert fresh
            assert not before.latched
            assert not before.pending
            assert self.state.run is None or self.state.run.paused

    @rule(person=st.booleans(), control_ready=st.booleans(), lost=LOST)
    def roll_back(self, person: bool, control_ready: bool, lost: bool) -> None:
        """A person's, or the judge's."""
        if person:
            self.back(RollbackAsked(by="ana", reason="odd", control_ready=control_ready), lost)
        else:
            self.back(TreatmentFailed(reason="loops", control_ready=control_ready), lost)

    def back(self, event: RollbackAsked | TreatmentFailed, lost: bool) -> None:
        before = self.state
        if not self.apply(event, lost=lost):
            return
        if isinstance(event, TreatmentFailed) and before.weight_bp == 0:
            assert self.state == before
        elif event.control_ready or self.state.latched:
            assert self.state.latched
            self.rolled_back, self.waiting = True, False
        else:
            assert self.state.pending
            assert self.state.weight_bp == before.weight_bp
            self.waiting = True

    @precondition(lambda self: self.state.latched or self.state.pending)
    @rule(fresh=FRESH, lost=LOST)
    def clear(self, fresh: bool, lost: bool) -> None:
        """Say why it may go on."""
        before = self.state
        if not self.apply(LatchCleared(revision=self.revision(fresh), by="ana", reason="mended"), lost=lost):
            return
        assert fresh
        if before.latched:
            assert self.state.weight_bp == (0 if before.run else 500)
            self.rolled_back = False
        else:
            assert self.state.weight_bp == before.weight_bp
        self.waiting = False

    @precondition(lambda self: self.state.run)
    @rule(lost=LOST)
    def pause(self, lost: bool) -> None:
        """Always safe."""
        weight = self.state.weight_bp
        if self.apply(Paused(by="ana", reason="lunch"), lost=lost):
            assert self.state.run
            assert self.state.run.paused
            assert self.state.weight_bp == weight

    @precondition(lambda self: self.state.run)
    @rule(fresh=FRESH, lost=LOST)
    def resume(self, fresh: bool, lost: bool) -> None:
        """Raises nothing by itself."""
        weight = self.state.weight_bp
        self.apply(Resumed(revision=self.revision(fresh), by="ana"), lost=lost)
        assert self.state.weight_bp == weight or lost

    @precondition(lambda self: self.state.run)
    @rule(world=st.just({}) | WORLDS, fresh=FRESH, lost=LOST)
    def promote(self, world: Condition, fresh: bool, lost: bool) -> None:
        """Never past what keeps people safe."""
        seen = gates(outputs=self.outputs, **world)
        before = self.state
        if self.apply(Promoted(revision=self.revision(fresh), by="ana", reason="seen it", gates=seen), lost=lost):
            assert fresh
            assert not before.latched
            assert not before.pending
            assert before.run
            assert not before.run.paused
            assert seen.canary != "failed"
            assert seen.can_roll_back
            assert seen.control_ready
            assert not seen.frozen
            assert seen.verdict not in ("breach", "control-unhealthy")
            assert self.state.run
            assert len(self.state.run.skipped) > len(before.run.skipped) or len(before.run.skipped) == 20

    @precondition(lambda self: self.state.run)
    @rule(control_ready=st.booleans(), lost=LOST)
    def abort(self, control_ready: bool, lost: bool) -> None:
        """Back without a latch, onto a control that lives."""
        before = self.state
        if self.apply(Aborted(by="ana", reason="later", control_ready=control_ready), lost=lost):
            assert self.state.run is None
            assert self.state.weight_bp == 0
            assert self.state.latched == before.latched
            assert control_ready or before.weight_bp == 0

    @precondition(lambda self: self.state.weight_bp >= 9_800)
    @rule(world=st.just({}) | WORLDS, fresh=FRESH, lost=LOST)
    def finish(self, world: Condition, fresh: bool, lost: bool) -> None:
        """Only from the end, only healthy."""
        seen = gates(outputs=self.outputs, **world)
        before = self.state
        if self.apply(Finished(revision=self.revision(fresh), by="ana", gates=seen), lost=lost):
            assert before.stage == "full_quant"
            assert not before.pending
            assert seen.verdict == "healthy"
            assert seen.treatment_ready
            assert self.state.finished

    # What holds all the time

    @invariant()
    def a_latch_holds_the_weight_at_zero(self) -> None:
        """And no rollback is forgotten."""
        assert self.state.latched == self.rolled_back
        assert self.state.weight_bp == 0 or not self.state.latched
        assert bool(self.state.pending) == self.waiting

    @invariant()
    def the_soak_is_never_ahead_of_the_clock(self) -> None:
        """Nor are the answers ahead of those that were heard."""
        run = self.state.run
        if run:
            assert run.soaked_s <= self.at_weight_s
            assert run.outputs <= self.at_weight_outputs
            assert 0 <= run.step < len(run.plan.steps)

    @invariant()
    def the_stage_says_what_the_weight_is(self) -> None:
        """With the plan's hold-back."""
        state = self.state
        hold_back = state.run.plan.hold_back_bp if state.run else 0
        assert state.latched or state.stage == stage_of(state.weight_bp, hold_back)

    @invariant()
    def finished_is_everyone(self) -> None:
        """And nobody is rolled back at the same time."""
        assert not self.state.finished or (self.state.weight_bp == 10_000 and not self.state.pending)


Rollouts.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_rollouts_in_any_order = Rollouts.TestCase
