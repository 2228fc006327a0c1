"""The files that docs/rollout.md shows can be used, and the pages explain every setting of an experiment and a plan."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.drift.thresholds import Learning, Sequential, Slo, Thresholds
from quantdeck_core.profile.experiment import ExperimentFile
from quantdeck_core.profile.toml_text import decode_toml
from quantdeck_core.rollout.plan import PlanGate, RolloutPlan, skips_floor
from quantdeck_core.rollout.plan_file import RolloutFile, StepFile, read_rollout

DOCS = Path(__file__).parents[2] / "docs"
EXPERIMENT, ROLLOUT = re.findall(r"^```toml\n(.*?)^```", (DOCS / "rollout.md").read_text("utf-8"), re.M | re.S)


def _plan() -> RolloutPlan:
    return read_rollout(ROLLOUT, "rollout.toml")


def test_the_example_of_a_plan_may_be_carried_out() -> None:
    plan = _plan()
    assert [step.weight_bp for step in plan.steps] == [500, 1_000, 5_000, 9_800]
    assert not skips_floor(plan)


def test_the_example_of_an_experiment_is_that_of_the_plan() -> None:
    assert decode_toml(EXPERIMENT, ExperimentFile, "experiment.toml").name == _plan().experiment


def test_what_the_example_says_beside_its_steps_are_the_defaults_of_the_table() -> None:
    bare = read_rollout(re.sub(r"^(hold_back|shadow_share|missing_deadline).*\n", "", ROLLOUT, flags=re.M), "bare.toml")
    assert bare == _plan()
    assert _plan().gate == PlanGate(ttft_p95_ms=800)


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        ("rollout.md", RolloutFile),
        ("rollout.md", StepFile),
        ("rollout.md", PlanGate),
        ("canary.md", CanarySettings),
        ("judgement.md", Thresholds),
        ("judgement.md", Slo),
        ("judgement.md", Sequential),
        ("judgement.md", Learning),
    ],
)
def test_every_setting_is_explained(page: str, settings: type[msgspec.Struct]) -> None:
    text = (DOCS / page).read_text("utf-8")
    tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    nested = {"step", "gate", "slo", "sequential", "learning"}
    missing = [name for name in settings.__struct_fields__ if name not in nested and f"`{name}`" not in tables]
    assert not missing
