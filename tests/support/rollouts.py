"""Plans, open gates and ticks for tests of the rollout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from quantdeck_core.rollout.events import Alert, Gates, RolloutStarted, Tick, Transition
from quantdeck_core.rollout.machine import step
from quantdeck_core.rollout.plan import PlanStep, RolloutPlan
from quantdeck_core.rollout.state import RolloutRun, RolloutState

OPEN = Gates(
    verdict="healthy",
    verdict_why="as good as the control",
    outputs=0,
    metrics_fresh=True,
    slo_ok=True,
    errors_ok=True,
    canary="passed",
    latency_profile=True,
    control_ready=True,
    treatment_ready=True,
    can_roll_back=True,
)
"""Everything is well."""

PLAN = RolloutPlan(
    name="int4-v1",
    experiment="awq",
    steps=(
        PlanStep(weight_bp=1_000, soak_s=20.0, min_outputs=40),
        PlanStep(weight_bp=5_000, soak_s=10.0),
        PlanStep(weight_bp=9_800, soak_s=10.0),
    ),
    missing_deadline_s=30.0,
    skip_soak_reason="compressed for a test",
)
"""10 %, 50 %, everyone but the hold-back; seconds instead of hours."""


def gates(**changes: Any) -> Gates:
    """Open gates but for what is named."""
    return msgspec.structs.replace(OPEN, **changes)


def started(plan: RolloutPlan = PLAN) -> RolloutState:
    """A plan before its first tick."""
    return step(RolloutState(), RolloutStarted(plan=plan, revision=1, by="ana"), 1.0).state


def run_of(state: RolloutState) -> RolloutRun:
    """The plan that runs."""
    assert state.run is not None
    return state.run


class Agent:
    """Ticks once a second, ten answers of the treatment each; holds what it said."""

    def __init__(self, state: RolloutState, rate: int = 10) -> None:
        self.state, self.rate = state, rate
        self.now, self.outputs = 1_000.0, 0
        self.said: list[Transition] = []

    def tick(self, seconds: int = 1, **changes: Any) -> RolloutState:
        """So many ticks with these gates."""
        for _ in range(seconds):
            self.now += 1.0
            self.outputs += self.rate
            open_but = gates(**{"outputs": self.outputs, **changes})
            self.do(Tick(elapsed_s=1.0, gates=open_but))
        return self.state

    def do(self, event: Any) -> Transition:
        """One event."""
        transition = step(self.state, event, self.now)
        self.state = transition.state
        if transition.kind:
            self.said.append(transition)
        return transition

    @property
    def kinds(self) -> list[str]:
        """What the timeline says, without the text."""
        return [one.kind for one in self.said]

    @property
    def alerts(self) -> list[Alert]:
        """Whom it woke."""
        return [one.alert for one in self.said if one.alert]

    def weights(self) -> Iterator[int]:
        """The weights that it had, without repeats."""
        last = None
        for one in self.said:
            if one.state.weight_bp != last:
                last = one.state.weight_bp
                yield last


def soaking(plan: RolloutPlan = PLAN, step_number: int = 1) -> Agent:
    """An agent whose plan has just entered a step, from 1."""
    agent = Agent(started(plan))
    agent.tick()
    for _ in range(1_000):
        if agent.state.weight_bp >= plan.steps[step_number - 1].weight_bp:
            return agent
        agent.tick()
    raise AssertionError(f"never reached step {step_number}: {agent.state}")
