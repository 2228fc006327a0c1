"""Among how many devices a replica is divided, and how.

Tensor parallelism stays inside NVLink: every layer waits for all GPUs twice. Pipeline parallelism sends activations
only, so it is for what lies past the interconnect: GPUs joined by PCIe, and more GPUs than one machine joins (the
lesson's Q2; vLLM's page on parallelism and scaling).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import msgspec

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.divisibility import possible_tp
from quantdeck_core.memory.serving import serving_from
from quantdeck_core.profile.names import LLAMACPP, STARTED, EngineKind
from quantdeck_core.profile.schema import Profile
from quantdeck_core.recommend.candidate import Placed, Planner
from quantdeck_core.recommend.options import Limits, Options
from quantdeck_core.recommend.question import Question

_MOST_STAGES = 16


def place(
    plan: Planner, checkpoint: Checkpoint, engine: str, question: Question, options: Options
) -> tuple[Placed | None, Placed]:
    """The division that suits best, None where none fits; and the last one tried: the widest, where none fits."""
    fitting: list[Placed] = []
    enough = _enough(engine, question, options.limits)
    for division in _divisions(checkpoint, engine, question, options.limits):
        placed = _placed(plan, checkpoint, engine, division, question, options)
        if placed.plan.fits:
            fitting.append(placed)
            if enough(placed):
                break
    return (_best(fitting, question, options.limits) if fitting else None), placed


def _enough(engine: str, question: Question, limits: Limits) -> Callable[[Placed], bool]:
    """Whether a division that fits is the one: wider ones need not be looked at then."""
    if engine != "vllm" or not question.linked:
        return lambda _: True
    if question.first == "latency":
        return lambda _: False
    return lambda placed: question.sequences is not None or has_room(placed, limits)


def _divisions(checkpoint: Checkpoint, engine: str, question: Question, limits: Limits) -> Iterator[tuple[int, int]]:
    """Tensor and pipeline parallelism to try, from the fewest devices to the most."""
    amount = question.site.amount if question.site.device.kind == "gpu" else 1
    tensor = engine == "vllm" and question.linked
    widths = [tp for tp in possible_tp(checkpoint) if tp <= min(amount, limits.linked_gpus)] if tensor else [1]
    yield from ((tp, 1) for tp in widths)
    stages = min(amount // widths[-1], _MOST_STAGES, checkpoint.layers or 1)
    yield from ((widths[-1], pp) for pp in range(2, stages + 1))


def _placed(
    plan: Planner,
    checkpoint: Checkpoint,
    engine: str,
    division: tuple[int, int],
    question: Question,
    options: Options,
) -> Placed:
    tp, pp = division
    site = question.site
    groups = max(1, site.amount // (tp * pp)) if site.device.kind == "gpu" else 1
    asked = question.sequences
    replicas = groups if asked is None else min(groups, asked)
    each = None if asked is None else math.ceil(asked / replicas)
    usual = serving_from(Profile(name="usual", model="usual", engine=_planned_as(engine)), checkpoint)
    serving = msgspec.structs.replace(
        usual,
        max_model_len=options.tokens(question),
        max_num_seqs=each or (1 if engine in LLAMACPP else usual.max_num_seqs),
        all_full=usual.all_full or each is not None,
        tensor_parallel=tp,
        pipeline_parallel=pp,
        n_gpu_layers=-1,
        replicas=replicas,
    )
    return Placed(serving, plan(checkpoint, serving, site), replicas)


def _planned_as(engine: str) -> EngineKind:
    """transformers is not planned; for weights and cache it takes what vLLM takes."""
    for name in STARTED:
        if name == engine:
            return name
    return "vllm"


def _best(fitting: list[Placed], question: Question, limits: Limits) -> Placed:
    """Of the divisions that fit, the last being enough where one is."""
    if len(fitting) == 1:
        return fitting[0]
    if question.first == "latency":
        return _widest(fitting, limits)
    if has_room(fitting[-1], limits):
        return fitting[-1]
    return max(fitting, key=lambda placed: (placed.replicas * placed.sequences, -placed.serving.gpus))


def has_room(placed: Placed, limits: Limits) -> bool:
    """Whether the cache has the room that a replica should give it."""
    return placed.sequences >= limits.batch or placed.crowding <= limits.crowded_share


def _widest(fitting: list[Placed], limits: Limits) -> Placed:
    """All GPUs work on every token, as long as there is enough of each layer for each of them."""
    worth = [
        placed
        for placed in fitting
        if placed.serving.pipeline_parallel == 1
        and placed.plan.weights_bytes_per_gpu >= limits.latency_weights_gb * 1e9
    ]
    return worth[-1] if worth else fitting[0]
