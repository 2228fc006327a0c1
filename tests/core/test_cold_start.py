"""Which steps bring a control back, and how long they took before."""

from __future__ import annotations

import msgspec
import pytest

from quantdeck_core.protocol.operation import Operation, Step
from quantdeck_core.rollout.cold_start import (
    ColdFacts,
    ControlRecipe,
    checkpoint_problem,
    plan_cold_start,
    start_seconds,
)
from support.deck import changed

RECIPE = ControlRecipe(engine="bf16", profile=changed(), sha256="ab" * 32)
STOPPED = ColdFacts(serving=False, under_way=False)


@pytest.mark.parametrize(
    ("facts", "recipe", "steps"),
    [
        (ColdFacts(serving=True, under_way=True), RECIPE, ("weight-0",)),
        (ColdFacts(serving=False, under_way=True), RECIPE, ("ready", "weight-0")),
        (ColdFacts(serving=False, under_way=True), None, ("ready", "weight-0")),
        (STOPPED, RECIPE, ("verify", "start", "ready", "weight-0")),
        (STOPPED, msgspec.structs.replace(RECIPE, sha256=""), ("start", "ready", "weight-0")),
    ],
)
def test_the_steps(facts: ColdFacts, recipe: ControlRecipe | None, steps: tuple[str, ...]) -> None:
    plan = plan_cold_start(facts, recipe)
    assert (plan.steps, plan.impossible) == (steps, "")


def test_what_the_agent_cannot_start_alone() -> None:
    external = msgspec.structs.replace(RECIPE, profile=changed(engine="external", url="http://127.0.0.1:1"))
    assert "somebody else runs the control bf16" in plan_cold_start(STOPPED, external).impossible
    assert "nothing is known" in plan_cold_start(STOPPED, None).impossible


def test_another_checkpoint_is_no_control() -> None:
    assert checkpoint_problem(RECIPE, RECIPE.sha256) == ""
    assert "SHA-256 cdcdcdcdcdcd, it was abababababab" in checkpoint_problem(RECIPE, "cd" * 32)


def test_the_last_start_that_worked_says_how_long_it_takes() -> None:
    steps = (
        Step(name="start", state="done", began=10.0, ended=11.0),
        Step(name="load", state="done", began=11.0, ended=40.0),
        Step(name="warm-up", state="done", began=40.0, ended=42.0),
        Step(name="route", state="done", began=42.0, ended=99.0),
    )
    worked = Operation(id="op-1", kind="deploy", engine="bf16", by="ada", at=9.0, state="done", steps=steps)
    failed = msgspec.structs.replace(worked, id="op-2", state="failed", steps=steps[:1])
    stopped = Operation(id="op-3", kind="stop", engine="bf16", by="ada", at=9.0, state="done", steps=())
    assert start_seconds((worked, failed, stopped), "bf16") == 32.0
    assert start_seconds((worked,), "other") is None
