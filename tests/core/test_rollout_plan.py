"""The rollout file: what it means, and what it refuses with which words."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.durations import parse_duration, spoken
from quantdeck_core.errors import InputError
from quantdeck_core.profile.toml_text import TomlError
from quantdeck_core.rollout.plan import PlanGate, PlanStep, RolloutPlan, check_plan, skips_floor
from quantdeck_core.rollout.plan_file import read_rollout

HEAD = 'name = "int4-v1"\nexperiment = "awq"\n'
LESSON = (
    HEAD
    + """
[[step]]
weight = 10
soak = "24h"
min_outputs = 2000
[[step]]
weight = "50%"
soak = "6h"
[[step]]
weight = 100
soak = "90m"
[gate]
ttft_p95_ms = 400
error_rate = 0.01
"""
)


def test_a_file_in_full() -> None:
    assert read_rollout(LESSON, "rollout.toml") == RolloutPlan(
        name="int4-v1",
        experiment="awq",
        steps=(
            PlanStep(weight_bp=1_000, soak_s=86_400.0, min_outputs=2_000),
            PlanStep(weight_bp=5_000, soak_s=21_600.0),
            PlanStep(weight_bp=9_800, soak_s=5_400.0),
        ),
        hold_back_bp=200,
        shadow_bp=100,
        missing_deadline_s=900.0,
        gate=PlanGate(ttft_p95_ms=400.0, error_rate=0.01),
    )


def _steps(*steps: tuple[object, str], more: str = "") -> str:
    return HEAD + more + "".join(f'[[step]]\nweight = {weight}\nsoak = "{soak}"\n' for weight, soak in steps)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (_steps((10, "24h"), (10, "1h")), "r.toml", "Step 2 of int4-v1 is 10 %, after 10 %"),
        (_steps((10, "24h"), (5, "1h")), "r.toml", "Step 2 of int4-v1 is 5 %, after 10 %"),
        (_steps((10, "24h"), (98, "1h"), (100, "1h")), "r.toml", "Step 3 of int4-v1 is 98 %"),
        (_steps((11, "24h")), "r.toml", "first step of int4-v1 is 11 %"),
        (_steps((0, "24h")), "r.toml", "first step of int4-v1 is 0 %"),
        (_steps((10, "24h"), (99, "1h")), "r.toml", "99 % leaves less than the hold-back of 2 %"),
        (_steps((10, "23h"), (50, "6h")), "r.toml", "above 10 % after a soak of 23 h"),
        (_steps((10, "24h"), (50, "6h"), more="hold_back = 60\n"), "r.toml", "hold-back of 60 %"),
        (_steps((10, "24h"), more='missing_deadline = "1s"\n'), "r.toml", "deadline of 1 s"),
        (_steps((10, "24h"), more='missing_deadline = "soon"\n'), "r.toml:3:1", "'soon' is not a length of time"),
        (_steps((10, "24")), "r.toml:5:1", "'24' is not a length of time"),
        (_steps((10, "24h"), ('"many"', "1h")), "r.toml:7:1", "'many' is not a weight"),
        (_steps((10, "24h"), (0.001, "1h")), "r.toml:7:1", "is not a weight"),
        (_steps((10, "24h"), more="hold_back = 101\n"), "r.toml:3:1", "'101' is not a weight"),
        (HEAD, "r.toml:1:1", "missing required field `step`"),
        (_steps((10, "24h"), more="holdback = 1\n"), "r.toml:3:1", "unknown field `holdback`"),
        (_steps((10, "24h")) + "[gate]\nerror_rate = nan\n", "r.toml:7:1", "expected `float` >= 0"),
        (_steps((10, "24h")) + "[gate]\nttft_p95_ms = nan\n", "r.toml:7:1", "expected `float` > 0"),
        (_steps((10, "24h")) + "[gate]\nttft_p95_ms = 0\n", "r.toml:7:1", "expected `float` > 0"),
    ],
)
def test_what_is_refused_says_where_and_why(text: str, place: str, words: str) -> None:
    with pytest.raises(TomlError) as caught:
        read_rollout(text, "r.toml")
    assert caught.value.detail.startswith(place + ":")
    assert words in caught.value.detail
    assert caught.value.hint


def test_the_floor_is_skipped_for_a_reason_only() -> None:
    text = _steps((10, "1h"), (50, "6h"))
    with pytest.raises(TomlError, match="soak of 1 h"):
        read_rollout(text, "r.toml", skip_soak_reason="  ")
    beside = read_rollout(text, "r.toml", skip_soak_reason="a drill")
    assert (beside.skip_soak_reason, skips_floor(beside)) == ("a drill", True)
    within = read_rollout('skip_soak_reason = "staging"\n' + text, "r.toml")
    assert within.skip_soak_reason == "staging"


def test_the_floor_may_be_soaked_in_several_small_steps() -> None:
    assert not skips_floor(read_rollout(_steps((1, "12h"), (10, "12h"), (50, "6h")), "r.toml"))


def test_a_plan_that_stays_an_ab_test_needs_no_floor() -> None:
    assert not skips_floor(read_rollout(_steps((1, "1h"), (10, "1h")), "r.toml"))


def test_without_a_hold_back_the_last_step_is_everyone() -> None:
    plan = read_rollout(_steps((10, "24h"), (100, "1h"), more="hold_back = 0\nshadow_share = 5\n"), "r.toml")
    assert (plan.steps[-1].weight_bp, plan.full_bp, plan.shadow_bp) == (10_000, 10_000, 500)


def test_after_a_rollback_five_percent_come_first_and_only_once() -> None:
    plan = read_rollout(LESSON, "r.toml")
    again = plan.restarted()
    assert [one.weight_bp for one in again.steps] == [500, 1_000, 5_000, 9_800]
    assert (again.steps[0].soak_s, again.steps[0].min_outputs) == (86_400.0, 2_000)
    assert again.restarted() == again
    check_plan(again)


STEPS = st.builds(
    PlanStep,
    weight_bp=st.integers(1, 10_000),
    soak_s=st.sampled_from([0.0, 3_600.0, 43_200.0, 86_400.0]),
)


@given(st.lists(STEPS, min_size=1, max_size=4), st.integers(0, 3_000), st.sampled_from(["", " ", "why not"]))
def test_no_plan_that_is_accepted_breaks_the_lesson(steps: list[PlanStep], hold_back: int, reason: str) -> None:
    plan = RolloutPlan(name="p", experiment="e", steps=tuple(steps), hold_back_bp=hold_back, skip_soak_reason=reason)
    try:
        check_plan(plan)
    except InputError:
        return
    weights = [one.weight_bp for one in steps]
    assert weights == sorted(set(weights))
    assert weights[0] <= 1_000
    assert weights[-1] <= 10_000 - hold_back
    small = sum(one.soak_s for one in steps if one.weight_bp <= 1_000)
    assert weights[-1] <= 1_000 or small >= 86_400 or reason.strip()
    assert msgspec.json.decode(msgspec.json.encode(plan), type=RolloutPlan) == plan


@pytest.mark.parametrize(
    ("text", "seconds"), [("24h", 86_400.0), ("90m", 5_400.0), ("20s", 20.0), ("1.5 h", 5_400.0), ("2d", 172_800.0)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1h30m", "1e3s", "٢h", "nan s", "9999999h"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(InputError, match="length of time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (720, "12 min"),
        (3_600, "1 h"),
        (12_000, "3 h 20 min"),
        (-1, "0 s"),
    ],
)
def test_spoken(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
