"""Whether a treatment may go on, by what both arms said to the fixed prompts. Users' answers play no part in it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from quantdeck_core.canary.compare import Comparison, compare, figures
from quantdeck_core.canary.report import ArmFigures, CanaryReport, Distance, Suspect
from quantdeck_core.canary.sample import ArmSample
from quantdeck_core.canary.settings import CanarySettings

MIN_ANSWERED = 0.8
"""Share of the prompts that an arm must answer before anything is said of it."""
MAX_LOST = 0.05
"""Share of the control's answers that the treatment may owe; one prompt is always forgiven."""
_LOOK = "Check which checkpoint it serves (`quantdeck engine`, `quantdeck model verify`), or put the old one back."


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What each arm said when it passed first with what it served then; None without such a run."""

    control: ArmSample | None = None
    treatment: ArmSample | None = None


def judge_canary(
    control: ArmSample, treatment: ArmSample, settings: CanarySettings, *, now: float, past: Past | None = None
) -> CanaryReport:
    """Compare both arms, and each with its own past.

    Args:
        control, treatment: samples of the same set.
        now: UNIX time, seconds.
        past: of another set it is not looked at.
    """
    past = past or Past()
    comparison = compare(control, treatment)
    ours = (figures(control), figures(treatment))
    control_own, treatment_own = _own(past.control, control), _own(past.treatment, treatment)
    report = CanaryReport(
        outcome="passed",
        at=now,
        seconds=round(now - min(control.at, treatment.at), 2),
        reason="",
        prompts=len(control.prompts),
        set_id=control.set_id,
        control=ours[0],
        treatment=ours[1],
        apart=comparison.apart,
        short=comparison.short,
        long=comparison.long,
        control_own=control_own,
        treatment_own=treatment_own,
        alike=None if comparison.alike is None else round(comparison.alike, 4),
        note=_note(control, treatment, comparison),
    )
    for variant, arm, sample in zip(("control", "treatment"), ours, (control, treatment), strict=True):
        wanted = len(control.prompts) - ours[0].refused
        if not wanted or arm.late + (arm.failed if variant == "control" else 0) > (1 - MIN_ANSWERED) * wanted:
            return _unavailable(report, variant, arm, sample)
    broken = [
        *_faults(comparison, ours, settings),
        *_own_fault("treatment", treatment_own, settings),
        *_own_fault("control", control_own, settings),
    ]
    if not broken:
        return msgspec.structs.replace(report, reason=_passed(comparison, settings))
    return msgspec.structs.replace(
        report,
        outcome="failed",
        reason=f"{broken[0]}." if len(broken) == 1 else f"{broken[0]}; also {'; '.join(broken[1:])}.",
        hint=_LOOK,
        suspect=_suspect(control_own, treatment_own, settings, both=all(arm.broken for arm in ours)),
    )


def _own(past: ArmSample | None, sample: ArmSample) -> Distance | None:
    if past is None or past.set_id != sample.set_id:
        return None
    return compare(past, sample).apart


def _unavailable(report: CanaryReport, variant: str, arm: ArmFigures, sample: ArmSample) -> CanaryReport:
    why = next((one.detail for one in sample.prompts if one.trouble and one.detail), "")
    reason = f"The {variant} {arm.engine} answered only {arm.answered} of {report.prompts} prompts"
    return msgspec.structs.replace(
        report,
        outcome="unavailable",
        reason=f"{reason}{f': {why}' if why else '.'}",
        hint="Look at its log and its queue, then run the canary again.",
        suspect=variant,
    )


def _faults(comparison: Comparison, ours: tuple[ArmFigures, ArmFigures], settings: CanarySettings) -> Iterator[str]:
    """What speaks against the treatment beside the control, worst first, as sentences without their full stop."""
    control, treatment = ours
    if comparison.refused + comparison.failed > max(1.0, MAX_LOST * control.answered):
        lost, said = comparison.refused + comparison.failed, comparison.example.rstrip(".")
        yield f"The treatment has no answer to {lost} prompts that the control answers: {said}"
    if treatment.broken:
        yield f"The treatment's log probabilities are no numbers at {treatment.broken} positions"
    apart = comparison.apart
    if apart.mean_kl is not None and apart.max_kl is not None and apart.same_top is not None:
        if apart.mean_kl > settings.max_kl:
            yield f"Mean KL divergence from the control is {apart.mean_kl:.3g} nats (limit {settings.max_kl:g})"
        if apart.same_top < settings.min_same_top:
            limit = 100 * settings.min_same_top
            yield f"Both think the same token most likely at {100 * apart.same_top:.0f} % only (limit {limit:.0f} %)"
        if apart.max_kl > settings.max_prompt_kl:
            limits = f"limit {settings.max_prompt_kl:g} for one prompt"
            yield f"KL divergence from the control is {apart.max_kl:.3g} nats at prompt {apart.worst} ({limits})"
    yield from _rises(control, treatment, comparison.both, settings.max_signal_rise)


def _rises(control: ArmFigures, treatment: ArmFigures, answered: int, most: float) -> Iterator[str]:
    if not answered:
        return
    signals = {
        "loop": (control.repetition, treatment.repetition),
        "are refusals": (control.refusal, treatment.refusal),
        "are empty": (control.empty, treatment.empty),
    }
    for what, (before, after) in signals.items():
        if (after - before) / answered > most:
            yield f"{after} of the treatment's {treatment.answered} answers {what}, {before} of the control's"


def _too_far(own: Distance | None, settings: CanarySettings) -> bool:
    if own is None or own.mean_kl is None or own.max_kl is None:
        return False
    return own.mean_kl > settings.max_own_kl or own.max_kl > settings.max_prompt_kl


def _own_fault(variant: str, own: Distance | None, settings: CanarySettings) -> Iterator[str]:
    if own is not None and _too_far(own, settings):
        limits = f"limits {settings.max_own_kl:g} and {settings.max_prompt_kl:g}"
        yield (
            f"The {variant} is not what it was when it passed: KL divergence {own.mean_kl:.3g} nats on average and "
            f"{own.max_kl:.3g} at prompt {own.worst} ({limits})"
        )


def _suspect(
    control_own: Distance | None, treatment_own: Distance | None, settings: CanarySettings, *, both: bool
) -> Suspect:
    changed = (_too_far(control_own, settings), _too_far(treatment_own, settings))
    if both or all(changed):
        return "both"
    # A treatment that is known to be as it was is not to blame for a control that is not.
    return "control" if changed[0] and treatment_own is not None else "treatment"


def _note(control: ArmSample, treatment: ArmSample, comparison: Comparison) -> str:
    notes = [
        f"{sample.engine} gives no log probabilities ({sample.why_no_logprobs.rstrip('.')})"
        for sample in (control, treatment)
        if sample.why_no_logprobs
    ]
    if not comparison.match.same:
        notes.append(f"the arms have different tokenizers, so log probabilities say nothing: {comparison.match.why}")
    elif comparison.match.odd:
        notes.append(f"{len(comparison.match.odd)} prompts are left out that the arms cut into different tokens")
    refused = [one.id for one in control.prompts if one.trouble == "refused"]
    if refused:
        notes.append(f"the control itself refuses {', '.join(refused[:3])}{', ...' if len(refused) > 3 else ''}")
    return "; ".join(notes)


def _passed(comparison: Comparison, settings: CanarySettings) -> str:
    apart = comparison.apart
    if apart.mean_kl is None or apart.same_top is None:
        return f"Signals are alike on {comparison.both} prompts; log probabilities could not be compared."
    return (
        f"Mean KL divergence from the control is {apart.mean_kl:.3g} nats (limit {settings.max_kl:g}), the same token "
        f"most likely at {100 * apart.same_top:.0f} % of {apart.positions} positions "
        f"(limit {100 * settings.min_same_top:.0f} %)."
    )
