"""Whether a model can be divided among GPUs as asked."""

from __future__ import annotations

from quantdeck_core.fleet.cells import plural
from quantdeck_core.formats.checkpoint import Checkpoint, Problem
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving
from quantdeck_core.profile.names import LLAMACPP

SIZES = (1, 2, 4, 8, 16)
"""Tensor parallelism that machines come with."""


def division_problems(checkpoint: Checkpoint, serving: Serving) -> tuple[Problem, ...]:
    """Why the engine would refuse to divide it; empty where it would not.

    Source: vLLM `config/model.py` (heads), `model_executor/layers/linear.py` and `.../quantization/` (whole groups).
    """
    tp, pp = serving.tensor_parallel, serving.pipeline_parallel
    found: list[str] = []
    if tp > 1 and serving.engine in LLAMACPP:
        found.append(f"{serving.engine} has no tensor parallelism here: it puts whole layers on each GPU.")
    else:
        found += _tensor_problems(checkpoint, tp)
    if checkpoint.layers and pp > checkpoint.layers:
        found.append(f"{checkpoint.layers} layers cannot be put on {pp} GPUs.")
    hint = f"Tensor parallelism that fits: {', '.join(map(str, possible_tp(checkpoint))) or 'none'}."
    if serving.engine in LLAMACPP:
        hint = "Use --pp for GPUs that hold different layers."
    return tuple(Problem(code="not-divisible", detail=detail, hint=hint, blocks=True) for detail in found)


def device_problems(serving: Serving, site: Site | None) -> tuple[Problem, ...]:
    """Whether there are as many devices as one instance is divided among."""
    needed = serving.gpus_per_host
    if site is None or needed <= site.amount:
        return ()
    there = "there is 1" if site.amount == 1 else f"there are {site.amount}"
    where = f" on each of {serving.nodes} hosts" if serving.nodes > 1 else ""
    detail = f"One instance needs {plural(needed, 'device')}{where}, and {there}."
    hint = f"Say how many there are: --gpu {site.device.name}:{needed}. Or divide it less."
    return (Problem(code="too-few-devices", detail=detail, hint=hint, blocks=True),)


def possible_tp(checkpoint: Checkpoint) -> tuple[int, ...]:
    """Sizes of tensor parallelism that divide this model."""
    return tuple(size for size in SIZES if not _tensor_problems(checkpoint, size))


def _tensor_problems(checkpoint: Checkpoint, tp: int) -> list[str]:
    found = []
    heads, kv_heads = checkpoint.heads, checkpoint.kv_heads
    if heads and heads % tp:
        found.append(f"{heads} attention heads cannot be divided by tensor parallelism {tp}.")
    elif kv_heads and not checkpoint.mla and kv_heads % tp and tp % kv_heads:
        found.append(f"{kv_heads} KV heads can neither be divided by nor copied to tensor parallelism {tp}.")
    ffn, group = checkpoint.intermediate_size, checkpoint.group_size
    if ffn and ffn % tp:
        found.append(f"The feed-forward size {ffn} cannot be divided by tensor parallelism {tp}.")
    elif ffn and group and group > 0 and tp > 1 and (ffn // tp) % group:
        found.append(f"A {tp}th of the feed-forward size {ffn} is no whole number of groups of {group}.")
    return found
