"""Why a candidate stands where it does, and what to mind: sentences for people."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.fleet.cells import count, gigabytes, plural
from quantdeck_core.memory.advice import advise
from quantdeck_core.memory.weights import nominal_weights_bytes
from quantdeck_core.recommend.candidate import Candidate, Placed
from quantdeck_core.recommend.layout import has_room
from quantdeck_core.recommend.options import Limits, Options, Remark
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.rank import is_crowded

_ADVICE = ("nf4-production", "desc-act", "awq-batch-1", "context-beyond-model", "recurrent-state")
"""Of a plan's advice, what belongs to a choice of formats; the rest is about settings."""
_REDUCES = 4
"""Tensor parallelism for which the lesson gives the cost of all-reduces."""


def reasons(candidate: Candidate, control: Candidate | None, question: Question, options: Options) -> Iterator[str]:
    """What speaks for it.

    Args:
        control: the unquantized model on the same engine, where it fits.
    """
    if candidate.own:
        yield "It is there already."
    yield from _remarks(candidate, candidate.option.reason, question, options)
    yield _memory(candidate)
    yield from _division(candidate.placed, question, options.limits)
    if control is not None and control is not candidate:
        yield from _against_control(candidate.placed, control.placed)
    yield _room(candidate)


def warnings(candidate: Candidate, question: Question, options: Options) -> Iterator[str]:
    """What to mind."""
    verdict, placed, limits = candidate.verdict, candidate.placed, options.limits
    if verdict.verdict != "ok":
        yield verdict.reason
    if verdict.consequence:
        yield verdict.consequence
    for advice in advise(placed.plan, candidate.checkpoint, placed.serving, question.site):
        if advice.code in _ADVICE:
            yield advice.detail
    if is_crowded(candidate, limits.crowded_share, limits.few_sequences):
        yield (
            f"Weights take {placed.crowding * 100:.0f} % of what the engine may have: only "
            f"{plural(placed.sequences, 'full sequence')} at once have room beside them."
        )
    yield from _division_warnings(candidate, limits)
    yield from _remarks(candidate, candidate.option.warning, question, options)


def _remarks(candidate: Candidate, remarks: tuple[Remark, ...], question: Question, options: Options) -> Iterator[str]:
    for remark in remarks:
        if (
            (not remark.first or question.first in remark.first)
            and remark.long in (None, options.is_long(question))
            and remark.slow in (None, candidate.slow)
            and remark.mismatched in (None, question.calibration == "mismatched")
        ):
            yield remark.text


def _memory(candidate: Candidate) -> str:
    plan, checkpoint = candidate.placed.plan, candidate.checkpoint
    nominal = nominal_weights_bytes(checkpoint.parameters or 0, candidate.option.bits)
    counted = ""
    if abs(nominal - checkpoint.weights_bytes) > checkpoint.weights_bytes * 0.02 and nominal:
        more = "what has more bits" if candidate.option.whole else "what stays in 16 bits"
        counted = f" ({gigabytes(nominal)} by parameters x bits / 8; scales and {more} come on top)"
    gpus = candidate.placed.serving.gpus
    each = f", {gigabytes(plan.weights_bytes_per_gpu)} on each of {gpus} GPUs" if gpus > 1 else ""
    return f"{gigabytes(checkpoint.weights_bytes)} of weights{counted}{each}."


def _room(candidate: Candidate) -> str:
    placed = candidate.placed
    tokens, a_replica = count(placed.plan.max_model_len), ""
    if placed.replicas > 1:
        a_replica = f" in each of {placed.replicas} replicas"
    text = f"Room for {plural(placed.sequences, 'full sequence')} of {tokens} tokens at once{a_replica}."
    several = placed.plan.replicas_per_gpu or 0
    if candidate.engine == "vllm" and placed.serving.gpus == 1 and several > 1:
        text += (
            f" {several} replicas would have room on one GPU ({placed.plan.replicas_by_weights} by weights alone), but "
            f"one that has the whole cache serves as many."
        )
    return text


def _division(placed: Placed, question: Question, limits: Limits) -> Iterator[str]:
    serving, amount = placed.serving, question.site.amount
    if serving.gpus == 1 and amount > 1 and question.site.device.kind == "gpu":
        yield "One GPU holds it: replicas side by side ask nothing of the interconnect."
    elif serving.pipeline_parallel > 1 and serving.engine != "vllm":
        yield f"{serving.pipeline_parallel} GPUs hold different layers."
    elif serving.pipeline_parallel > 1 and question.linked:
        yield (
            f"Tensor parallelism {serving.tensor_parallel} ends where NVLink does; {serving.pipeline_parallel} such "
            f"groups hold different layers and pass activations only."
        )
    elif serving.pipeline_parallel > 1:
        yield (
            f"Over PCIe pipeline parallelism: {serving.pipeline_parallel} GPUs hold different layers and pass "
            f"activations once a stage. Under tensor parallelism every layer would wait for PCIe twice."
        )
    elif serving.tensor_parallel > 1:
        chosen = question.first != "latency" and question.sequences is None and has_room(placed, limits)
        smallest = " The smallest group that leaves the cache enough room." if chosen else ""
        yield (
            f"Tensor parallelism {serving.tensor_parallel} inside NVLink: all its GPUs work on every token, so a token "
            f"takes less time than through a pipeline.{smallest}"
        )


def _against_control(placed: Placed, control: Placed) -> Iterator[str]:
    if placed.replicas > control.replicas:
        yield (
            f"{placed.replicas} replicas of {_gpus(placed)} where BF16 makes {control.replicas} of {_gpus(control)}: "
            f"roughly {placed.replicas / control.replicas:.3g} times its throughput."
        )


def _gpus(placed: Placed) -> str:
    serving = placed.serving
    if serving.gpus == 1:
        return "one GPU"
    return " x ".join(
        f"{name}={size}"
        for name, size in (("TP", serving.tensor_parallel), ("PP", serving.pipeline_parallel))
        if size > 1
    )


def _division_warnings(candidate: Candidate, limits: Limits) -> Iterator[str]:
    serving = candidate.placed.serving
    if serving.tensor_parallel >= _REDUCES:
        yield (
            f"All-reduces cost throughput: at TP={_REDUCES} about 20 to 25 % of what one GPU would do (lesson)"
            f"{'.' if serving.tensor_parallel == _REDUCES else ', beyond that more.'}"
        )
    if serving.pipeline_parallel > 1 and serving.engine == "vllm":
        yield "Each token passes all stages one after the other: latency grows, and stages wait for each other."
    large = (candidate.checkpoint.parameters or 0) >= limits.pipeline_parameters
    if large and serving.tensor_parallel > 1 and serving.pipeline_parallel == 1:
        yield (
            "From 400B on, activations exchanged in tensor parallelism can saturate even NVLink: measure pipeline "
            "parallelism beside it."
        )
