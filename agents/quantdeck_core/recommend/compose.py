"""Ranked candidates as answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from quantdeck_core.memory.weights import nominal_weights_bytes
from quantdeck_core.recommend.answer import Answer, Asked
from quantdeck_core.recommend.candidate import Candidate
from quantdeck_core.recommend.options import Options
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.reasons import reasons, warnings
from quantdeck_core.recommend.stored import option_of


def answers(
    order: list[Candidate], question: Question, options: Options, profiles: Collection[str]
) -> tuple[Answer, ...]:
    """One for each candidate, the best first."""
    return tuple(_answer(rank, one, order, question, options, profiles) for rank, one in enumerate(order, 1))


def _answer(
    rank: int,
    one: Candidate,
    order: list[Candidate],
    question: Question,
    options: Options,
    profiles: Collection[str],
) -> Answer:
    control = next((other for other in order if other.option.control and other.engine == one.engine), None)
    checkpoint, plan, option = one.checkpoint, one.placed.plan, one.option
    known = checkpoint.parameters
    return Answer(
        rank=rank,
        title=checkpoint.label if one.own else option.title,
        format=checkpoint.format,
        scheme=checkpoint.scheme or option.scheme,
        bits=option.bits,
        group_size=checkpoint.group_size,
        engine=one.engine,
        verdict=one.verdict.verdict,
        tensor_parallel=plan.tensor_parallel,
        pipeline_parallel=plan.pipeline_parallel,
        replicas=one.placed.replicas,
        weights_bytes_nominal=None if known is None else nominal_weights_bytes(known, option.bits),
        weights_bytes=checkpoint.weights_bytes,
        weights_bytes_per_gpu=plan.weights_bytes_per_gpu,
        total_bytes_per_gpu=plan.total_bytes_per_gpu,
        max_concurrency=one.placed.sequences,
        quality=option.quality,
        own=one.own,
        control=option.control,
        reasons=tuple(reasons(one, control, question, options)),
        warnings=tuple(warnings(one, question, options)),
        make=() if one.own else option.make,
        profile=_start(one, question, options, profiles),
    )


def _start(one: Candidate, question: Question, options: Options, profiles: Collection[str]) -> str | None:
    size, device, long = one.checkpoint.parameters or 0, question.site.device, options.is_long(question)
    for start in one.option.profiles:
        here = device.kind in (start.kinds or (device.kind,)) and device.vendor in (start.vendors or (device.vendor,))
        if here and size >= start.from_parameters and start.long <= long and start.name in profiles:
            return start.name
    return None


def asked(question: Question, options: Options) -> Asked:
    """The question as it is echoed."""
    return Asked(
        device=question.site.device.name,
        devices=question.site.amount,
        link=question.link,
        model=question.model.label,
        parameters=question.model.parameters,
        shape_of=question.shape_of,
        first=question.first,
        context=options.tokens(question),
        long=options.is_long(question),
        sequences=question.sequences,
        use=question.use,
        calibration=question.calibration,
    )


def notes(order: list[Candidate], question: Question, options: Options) -> Iterator[str]:
    """What holds for all answers."""
    if question.shape_of:
        yield (
            f"Only a size was given: layers and heads are those of {question.shape_of}. The cache of another model may "
            f"be several times larger or smaller; name its folder to be exact."
        )
    if order and question.use == "production" and not any(one.option.control for one in order):
        yield (
            "BF16 has no room here. A rollout needs a control: keep it on other hardware, or take the answer with the "
            "smallest loss as the control."
        )
    own = option_of(question.model, options.option)
    if own is not None:
        yield (
            "The checkpoint is quantized. Other formats are made from the unquantized model: what is lost does not "
            "come back."
        )
    if order and order[0].option.bits < 16 and question.use == "production":
        yield "Measured figures are those of other people's models: run your own benchmark, then an A/B test at 10 %."
