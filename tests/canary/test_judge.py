"""What a canary concludes."""

from __future__ import annotations

import msgspec
import pytest

from quantdeck_core.canary.judge import Past, judge_canary
from quantdeck_core.canary.prompt import CanaryPrompt
from quantdeck_core.canary.report import CanaryReport
from quantdeck_core.canary.sample import ArmSample, PromptSample, Trouble, compact
from quantdeck_core.canary.settings import CanarySettings
from support.canary_samples import GOOD, PROMPTS, Shape, said, sample

CONTROL = sample("control")
NEAR = {"the": 0.57, "a": 0.33, "no": 0.05}
FAR = {"no": 0.9, "a": 0.05, "the": 0.01}
LOOP = "again and again we go " * 12


def judged(
    treatment: ArmSample | Shape, control: ArmSample = CONTROL, past: Past | None = None, **limits: float
) -> CanaryReport:
    if not isinstance(treatment, ArmSample):
        treatment = sample("treatment", treatment)
    return judge_canary(control, treatment, CanarySettings(**limits), now=130.0, past=past)  # type: ignore[arg-type]


def troubled(trouble: Trouble, *, every: int = 1, long_only: bool = False) -> Shape:
    def shape(prompt: CanaryPrompt) -> PromptSample:
        hit = prompt.long if long_only else PROMPTS.index(prompt) % every == 0
        return PromptSample(id=prompt.id, trouble=trouble, detail="HTTP 400: too long") if hit else said(prompt)

    return shape


def test_a_control_beside_itself_passes_at_no_distance() -> None:
    report = judged(sample("treatment"))
    assert (report.outcome, report.suspect) == ("passed", "")
    assert report.apart
    assert (report.apart.mean_kl, report.apart.same_top, report.alike) == (0.0, 1.0, 1.0)
    assert report.apart.prompts == report.prompts == len(PROMPTS)
    assert report.seconds == 30.0


def test_short_and_long_prompts_are_told_apart() -> None:
    report = judged(lambda prompt: said(prompt, FAR if prompt.long else GOOD))
    assert report.short
    assert report.long
    assert (report.short.mean_kl, report.long.prompts) == (0.0, 3)
    assert report.outcome == "failed"
    assert "at prompt long-" in report.reason


def test_a_healthy_quantization_passes_and_a_broken_one_fails() -> None:
    assert judged(lambda prompt: said(prompt, NEAR)).outcome == "passed"
    report = judged(lambda prompt: said(prompt, FAR))
    assert (report.outcome, report.suspect) == ("failed", "treatment")
    assert report.reason.startswith("Mean KL divergence from the control is ")
    assert "same token most likely at 0 %" in report.reason
    assert report.hint


def test_limits_are_the_experiment_s() -> None:
    assert judged(lambda prompt: said(prompt, NEAR), max_kl=0.0001).outcome == "failed"
    lenient = {"max_kl": 50.0, "max_prompt_kl": 50.0, "min_same_top": 0.0}
    assert judged(lambda prompt: said(prompt, FAR), **lenient).outcome == "passed"


def test_damage_that_one_prompt_meets_is_found() -> None:
    report = judged(lambda prompt: said(prompt, FAR if prompt.id == "sum" else GOOD))
    assert report.outcome == "failed"
    assert report.apart
    assert report.apart.worst == "sum"
    assert report.apart.mean_kl is not None
    assert report.apart.mean_kl < CanarySettings().max_kl


@pytest.mark.parametrize("answer", [LOOP, "", "I cannot help with that."], ids=["loops", "empty", "refuses"])
def test_signals_alone_fail_where_there_are_no_log_probabilities(answer: str) -> None:
    control = sample("control", lambda prompt: said(prompt, None), why="HTTP 500")
    assert judged(lambda prompt: said(prompt, None), control).outcome == "passed"
    report = judged(lambda prompt: said(prompt, None, answer=answer), control)
    assert (report.outcome, report.suspect) == ("failed", "treatment")
    assert "control.1 gives no log probabilities (HTTP 500)" in report.note


def test_loops_of_both_say_nothing() -> None:
    control = sample("control", lambda prompt: said(prompt, answer=LOOP))
    report = judged(lambda prompt: said(prompt, answer=LOOP), control)
    assert report.outcome == "passed"
    assert report.treatment
    assert report.treatment.repetition == len(PROMPTS)


def test_another_tokenizer_is_found_before_anything_is_compared() -> None:
    def other(prompt: CanaryPrompt) -> PromptSample:
        return said(prompt, FAR, extra_tokens=len(prompt.text) % 5)

    report = judged(other)
    assert report.outcome == "passed"
    assert report.apart
    assert report.apart.positions == 0
    assert "different tokenizers" in report.note
    assert "could not be compared" in report.reason


def test_one_token_more_everywhere_is_the_same_tokenizer() -> None:
    report = judged(lambda prompt: said(prompt, FAR, extra_tokens=1))
    assert (report.outcome, report.note) == ("failed", "")


def test_prompts_of_one_script_that_are_cut_otherwise_are_left_out() -> None:
    report = judged(lambda prompt: said(prompt, extra_tokens=2 if prompt.id in ("arabic", "chinese") else 0))
    assert report.apart
    assert report.apart.prompts == len(PROMPTS) - 2
    assert "2 prompts are left out" in report.note


def test_garbage_is_no_other_vocabulary() -> None:
    report = judged(lambda prompt: said(prompt, {f"x{len(prompt.text)}": 0.9, "y": 0.05, "z": 0.01}))
    assert report.outcome == "failed"


def test_numbers_in_the_place_of_tokens_are_not_compared_with_texts() -> None:
    report = judged(lambda prompt: said(prompt, {"token_id:7": 0.9, "token_id:8": 0.05, "token_id:9": 0.01}))
    assert report.apart
    assert report.apart.positions == 0
    assert "by their numbers" in report.note


def test_log_probabilities_that_are_no_numbers_fail() -> None:
    report = judged(lambda prompt: said(prompt, broken=prompt.id == "sum"))
    assert (report.outcome, report.suspect) == ("failed", "treatment")
    assert "no numbers at 8 positions" in report.reason


def test_prompts_that_only_the_control_answers_fail() -> None:
    report = judged(troubled("refused", long_only=True))
    assert (report.outcome, report.suspect) == ("failed", "treatment")
    assert "no answer to 3 prompts that the control answers: HTTP 400: too long" in report.reason
    assert judged(troubled("failed", every=len(PROMPTS))).outcome == "passed"  # one is forgiven


def test_prompts_that_both_refuse_are_left_out_and_named() -> None:
    control = sample("control", troubled("refused", long_only=True))
    report = judged(troubled("refused", long_only=True), control)
    assert report.outcome == "passed"
    assert "refuses long-early, long-middle, long-late" in report.note


def test_an_arm_that_does_not_answer_makes_nothing_known() -> None:
    for late in (judged(troubled("late")), judged(troubled("late", every=3))):
        assert (late.outcome, late.suspect) == ("unavailable", "treatment")
    dead = judged(sample("treatment"), sample("control", troubled("failed")))
    assert (dead.outcome, dead.suspect) == ("unavailable", "control")
    assert "answered only 0 of 35 prompts" in dead.reason
    assert judged(sample("treatment"), sample("control", troubled("refused"))).outcome == "unavailable"


def test_a_checkpoint_that_changed_is_found_although_the_limits_hold() -> None:
    past = Past(treatment=compact(sample("treatment")))
    changed = {"the": 0.4, "a": 0.5, "no": 0.05}
    lenient = {"min_same_top": 0.0, "max_kl": 0.3}
    assert judged(lambda prompt: said(prompt, changed), **lenient).outcome == "passed"
    report = judged(lambda prompt: said(prompt, changed), past=past, max_own_kl=0.05, **lenient)
    assert (report.outcome, report.suspect) == ("failed", "treatment")
    assert "The treatment is not what it was when it passed" in report.reason


def test_a_control_that_changed_is_the_suspect_where_the_treatment_did_not() -> None:
    past = Past(control=compact(CONTROL), treatment=compact(sample("treatment")))
    changed = sample("control", lambda prompt: said(prompt, FAR))
    assert judged(sample("treatment"), changed, past).suspect == "control"
    assert judged(lambda prompt: said(prompt, {"x": 0.9, "the": 0.05}), changed, past).suspect == "both"
    assert judged(sample("treatment"), changed, Past(control=compact(CONTROL))).suspect == "treatment"


def test_the_past_of_another_set_says_nothing() -> None:
    old = msgspec.structs.replace(sample("treatment", lambda prompt: said(prompt, FAR)), set_id="another")
    report = judged(sample("treatment"), past=Past(treatment=old))
    assert (report.outcome, report.treatment_own) == ("passed", None)


def test_what_is_remembered_is_small_and_is_itself_again() -> None:
    kept = msgspec.json.encode(compact(CONTROL))
    assert len(kept) < 64 << 10
    again = msgspec.json.decode(kept, type=ArmSample)
    report = judged(sample("treatment"), past=Past(control=again))
    assert report.control_own
    assert report.control_own.mean_kl == 0.0
    assert msgspec.json.decode(msgspec.json.encode(report), type=CanaryReport) == report
