"""The judge as a whole: what it says of two arms, and what it must not be fooled by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from quantdeck_core.drift.judge import Judge
from quantdeck_core.drift.learned import ArmBlock, Block
from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.thresholds import Sequential, Slo, Thresholds, thresholds_of
from quantdeck_core.drift.verdict import SIGNALS, Verdict
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.gateway import VariantName
from support.judged_traffic import Mix, Source

NORMAL = Mix()


class Trial:
    """Two arms whose answers a judge hears in turn."""

    def __init__(self, limits: Thresholds | None = None, *, seed: int = 1, blocks: tuple[Block, ...] = ()) -> None:
        self.judge = Judge(limits or Thresholds(), blocks)
        self.source = Source(seed, users=5_000)

    def answer(self, arm: VariantName, mix: Mix = NORMAL, **changes: Any) -> Observation:
        return msgspec.structs.replace(self.source.answer(arm, mix), **changes)

    def run(
        self,
        count: int,
        treatment: Mix = NORMAL,
        control: Mix = NORMAL,
        *,
        change: Callable[[Observation], Observation] = lambda seen: seen,
    ) -> Verdict:
        """So many answers of each arm, or until a breach."""
        for _ in range(count):
            self.judge.hear(self.answer("control", control))
            self.judge.hear(change(self.answer("treatment", treatment)))
            verdict = self.judge.verdict()
            if verdict.kind == "breach":
                return verdict
        return self.judge.verdict()


def test_two_arms_alike_are_healthy_in_everything() -> None:
    trial = Trial()
    assert trial.run(1_500).kind == "healthy"
    signals = trial.judge.signals()
    assert set(signals) == set(SIGNALS)
    assert {one.kind for one in signals.values()} == {"healthy"}


def test_without_enough_answers_it_says_how_many_are_missing() -> None:
    trial = Trial()
    assert trial.judge.verdict().needed == 50
    verdict = trial.run(20)
    assert (verdict.kind, verdict.needed) == ("inconclusive", 30)


@pytest.mark.parametrize(
    ("mix", "signal"),
    [
        (NORMAL._replace(repetition=0.15), "repetition"),
        (NORMAL._replace(refusal=0.20), "refusal"),
        (NORMAL._replace(refusal=0.0, truncated=0.30), "truncated"),
        (NORMAL._replace(failures=0.05), "failures"),
        (NORMAL._replace(garbled=0.08), "garbled"),
        (NORMAL._replace(empty=0.08), "empty"),
        (NORMAL._replace(tokens=150.0), "length"),
        (NORMAL._replace(tokens=260.0), "length"),
    ],
)
def test_each_signal_that_breaks_is_named_with_numbers(mix: Mix, signal: str) -> None:
    trial = Trial()
    trial.run(1_000)
    verdict = trial.run(1_500, mix)
    assert (verdict.kind, verdict.signal) == ("breach", signal)
    assert any(character.isdigit() for character in verdict.reason)
    assert trial.judge.signals()[signal].kind == "breach"
    # The control is well: what the treatment does is not held against it.
    assert trial.judge.signals()["itl"].kind == "healthy"


def test_a_fall_of_refusals_is_no_small_thing_either() -> None:
    trial = Trial()
    often = NORMAL._replace(refusal=0.25)
    trial.run(1_000, often, often)
    assert trial.run(1_500, NORMAL._replace(refusal=0.02), often).signal == "refusal"


def test_what_is_asked_may_change_for_both() -> None:
    for seed in range(3):
        trial = Trial(seed=seed)
        trial.run(1_500)
        later = NORMAL._replace(repetition=0.035, refusal=0.05, tokens=300.0, slowness=2.0)
        assert trial.run(1_500, later, later).kind in ("healthy", "watch")


def test_long_prompts_are_judged_by_themselves() -> None:
    trial = Trial()
    many = NORMAL._replace(long=0.05, repetition=0.005)
    trial.run(3_000, many, many)

    def hurt(seen: Observation) -> Observation:
        return msgspec.structs.replace(
            seen, repetition=seen.repetition or (seen.long and trial.source.random.random() < 0.4)
        )

    verdict = trial.run(4_000, many, many, change=hurt)
    assert verdict.kind == "breach"
    assert trial.judge.signals()["long-repetition"].kind in ("watch", "breach")


def test_one_user_who_makes_it_loop_rolls_nobody_back() -> None:
    trial = Trial()
    trial.run(1_000)
    for number in range(20_000):
        trial.judge.hear(trial.answer("control"))
        seen = trial.answer("treatment")
        if number % 33 == 0:  # 3 % of the traffic
            seen = msgspec.structs.replace(seen, user="f" * 16, repetition=True)
        trial.judge.hear(seen)
        assert trial.judge.verdict().kind in ("healthy", "watch")
    assert trial.judge.left_out > 0


def test_a_bad_control_is_said_and_nothing_else() -> None:
    trial = Trial()
    trial.run(1_000)
    bad = NORMAL._replace(repetition=0.5)
    assert trial.run(400, NORMAL, bad).kind == "control-unhealthy"
    both = Trial()
    verdict = both.run(400, bad, bad)
    assert (verdict.kind, "both arms" in verdict.reason) == ("control-unhealthy", True)


def test_a_control_that_got_worse_than_it_was_is_unhealthy_below_every_limit() -> None:
    trial = Trial()
    trial.run(3_000)
    verdict = trial.run(500, NORMAL, NORMAL._replace(repetition=0.12))
    assert (verdict.kind, verdict.signal) == ("control-unhealthy", "repetition")
    assert "before" in verdict.reason


def test_a_slow_treatment_is_watched_and_put_back_only_for_an_slo() -> None:
    slow = NORMAL._replace(slowness=2.0)
    trial = Trial()
    trial.run(500)
    verdict = trial.run(1_000, slow)
    assert (verdict.kind, verdict.signal) == ("watch", "ttft")
    strict = Trial(Thresholds(slo=Slo(ttft_p95_ms=200.0)))
    strict.run(500)
    assert strict.run(1_000, slow).signal == "ttft"
    assert strict.judge.verdict().kind == "breach"
    kept = Trial(Thresholds(slo=Slo(ttft_p95_ms=5_000.0)))
    kept.run(500)
    assert kept.run(1_000, slow).kind == "watch"


def test_numbers_that_are_none_are_counted_and_left_alone() -> None:
    trial = Trial()

    def broken(seen: Observation) -> Observation:
        return msgspec.structs.replace(seen, ttft_ms=math.nan, itl_ms=-1.0, e2e_ms=math.inf)

    assert trial.run(300, change=broken).kind == "healthy"
    assert trial.judge.ignored > 800


def test_lengths_are_counted_in_words_where_an_arm_has_no_tokens() -> None:
    trial = Trial()

    def wordy(seen: Observation) -> Observation:
        return msgspec.structs.replace(seen, tokens=None)

    assert trial.run(1_000, change=wordy).kind == "healthy"
    assert trial.run(1_000, NORMAL._replace(tokens=140.0), change=wordy).signal == "length"


@pytest.mark.parametrize(("control_every", "treatment_every"), [(1, 99), (99, 1), (1, 9), (9, 1)])
def test_arms_of_unequal_size_are_no_reason(control_every: int, treatment_every: int) -> None:
    trial = Trial()
    kinds = set()
    for number in range(30_000):
        mix = NORMAL if number < 15_000 else NORMAL._replace(repetition=0.03, tokens=260.0)
        if number % control_every == 0:
            trial.judge.hear(trial.answer("control", mix))
        if number % treatment_every == 0:
            trial.judge.hear(trial.answer("treatment", mix))
        kinds.add(trial.judge.verdict().kind)
    assert "breach" not in kinds


def test_a_control_that_is_silent_proves_nothing() -> None:
    trial = Trial()
    trial.run(500)
    for _ in range(700):
        trial.judge.hear(trial.answer("treatment", NORMAL._replace(refusal=0.05)))
    verdict = trial.judge.verdict()
    assert (verdict.kind, verdict.signal) == ("inconclusive", "")
    assert "no answer beside" in verdict.reason


def test_without_a_control_loops_are_found_by_the_fixed_limit() -> None:
    trial = Trial()
    for _ in range(200):
        trial.judge.hear(trial.answer("treatment", NORMAL._replace(repetition=0.5)))
    assert (trial.judge.verdict().kind, trial.judge.verdict().signal) == ("breach", "repetition")


def test_another_process_and_a_mended_one_begin_anew() -> None:
    trial = Trial()
    trial.run(500)
    trial.run(500, NORMAL._replace(repetition=0.6))
    assert trial.judge.verdict().kind == "breach"
    trial.judge.forget()
    assert trial.judge.verdict().kind == "inconclusive"
    assert not trial.judge.hear(trial.answer("treatment", generation=-1))
    trial.judge.start_generation("treatment", 2)
    assert trial.judge.window("treatment").stats().outputs == 0
    assert trial.judge.window("control").stats().outputs > 490


def test_without_sequential_tests_the_fixed_limits_decide() -> None:
    trial = Trial(Thresholds(sequential=Sequential(on=False)))
    trial.run(600)
    assert trial.run(1_000, NORMAL._replace(tokens=100.0)).signal == "length"


def test_a_real_difference_within_what_a_service_shows_by_itself_is_watched() -> None:
    def arm(share: float) -> ArmBlock:
        return ArmBlock(outputs=2_000, repetitions=int(2_000 * share), words=300_000)

    blocks = tuple(
        Block(hour=hour, control=arm(share), treatment=arm(share))
        for hour in range(48)
        for share in (0.03 + 0.03 * (-1) ** hour,)
    )
    trial = Trial(blocks=blocks)
    assert {limit.signal for limit in trial.judge.learned} == {"repetition", "refusal", "failures", "length"}
    trial.run(1_000)
    verdict = trial.run(1_000, NORMAL._replace(repetition=0.08))
    assert verdict.kind == "watch"
    assert "learned from 48 hours" in verdict.reason
    assert Trial(blocks=blocks).run(500, NORMAL._replace(repetition=0.5)).kind == "breach"


def test_a_preset_is_a_starting_point() -> None:
    strict = thresholds_of({"preset": "customer-facing", "refusal_delta": 0.07})
    assert (strict.repetition, strict.refusal_delta) == (0.08, 0.07)
    assert thresholds_of({}) == Thresholds()
    with pytest.raises(InputError, match="no preset"):
        thresholds_of({"preset": "lax"})
    with pytest.raises(msgspec.ValidationError):
        thresholds_of({"repetition": 2})


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("treated", [2, 8])
def test_both_arms_turning_bad_at_once_roll_nobody_back_however_few_are_on_the_control(treated: int, seed: int) -> None:
    trial, t = Trial(seed=seed), 0.0
    bad = NORMAL._replace(repetition=0.45)
    for mix, rounds in ((NORMAL, 100), (bad, 400)):
        for _ in range(rounds):
            for arm in ("control", *["treatment"] * treated):
                t += 1.0
                trial.judge.hear(trial.answer(arm, mix, t=t))  # type: ignore[arg-type]
                assert trial.judge.verdict().kind != "breach", trial.judge.verdict().reason
    assert trial.judge.verdict().kind == "control-unhealthy"


def test_a_control_whose_few_users_have_enough_still_answers() -> None:
    trial = Trial()
    trial.run(300)
    for number in range(2_000):
        trial.judge.hear(trial.answer("treatment"))
        if number % 50 == 0:
            trial.judge.hear(trial.answer("control", user="0" * 16))
    assert trial.judge.left_out > 0
    assert trial.judge.verdict().kind == "healthy"
    for _ in range(600):
        trial.judge.hear(trial.answer("treatment"))
    assert "the control gave no answer" in trial.judge.verdict().reason
