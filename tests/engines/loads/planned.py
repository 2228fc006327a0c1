"""What the core plans for the loads, and the tables that show it beside what was measured."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from engines.loads.cases import Load
from engines.loads.models import Model, tensors
from engines.loads.vllm_cases import COMMON, SERVE, VllmLoad
from quantdeck_core.fleet.cells import count
from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.formats.gguf_header import GgufTensor
from quantdeck_core.formats.gguf_repack import weights_on_cpu
from quantdeck_core.formats.gguf_types import TENSOR_TYPES
from quantdeck_core.memory.engine_log import MIB
from quantdeck_core.memory.kv import KV_TYPES
from quantdeck_core.memory.llamacpp import LlamacppMemory, memory_on_cpu
from quantdeck_core.memory.llamacpp_kv import context_of
from quantdeck_core.memory.vllm_kv import VllmCache

_FOLDER = Path(__file__).parent
_ALIGNMENT = 32
_TYPES = {kind.name: kind for kind in TENSOR_TYPES.values()}


def recorded(name: str) -> dict[str, dict[str, Any]]:
    """Load -> what was measured: of `llamacpp` or `vllm`."""
    return {one["load"]: one for one in json.loads((_FOLDER / f"{name}_results.json").read_text())}


def tensors_in_file(model: Model) -> tuple[GgufTensor, ...]:
    """As the header of the synthetic file describes them."""
    found, offset = [], 0
    for name, dims, type_name in tensors(model):
        kind, elements = _TYPES[type_name], math.prod(dims)
        nbytes = elements // kind.block * kind.size
        found.append(GgufTensor(name, kind, dims, elements, nbytes, offset))
        offset += -(-nbytes // _ALIGNMENT) * _ALIGNMENT
    return tuple(found)


def plan(load: Load) -> LlamacppMemory:
    """What the core says that the load takes."""
    asked = load.settings
    context = context_of(
        asked.n_ctx, asked.n_parallel, batch=asked.n_batch, ubatch=asked.n_ubatch, unified=asked.kv_unified
    )
    return memory_on_cpu(
        load.model.shape,
        weights_on_cpu(tensors_in_file(load.model)).total,
        context,
        KV_TYPES[asked.type_k],
        KV_TYPES[asked.type_v],
        flash_attention=asked.flash_attention,
        swa_full=asked.swa_full,
    )


def shape_of(load: VllmLoad) -> ModelShape:
    """As `quantdeck check` finds it in the configuration."""
    config = COMMON | load.config
    kinds = config.get("layer_types", [])
    return ModelShape(
        layers=config["num_hidden_layers"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        sliding_window=config.get("sliding_window"),
        sliding_layers=kinds.count("sliding_attention") if kinds else None,
    )


def cache_of(load: VllmLoad, in_flight: int) -> VllmCache:
    """How vLLM's CPU build serves it."""
    serve = SERVE | load.serve
    return VllmCache(serve.get("block_size", 128), KV_TYPES["bf16"], serve["max_model_len"], in_flight)


def llamacpp_table(loads: tuple[Load, ...]) -> str:
    """Planned and measured, a row a load."""
    lines = [
        "| load | weights | KV cache | compute | total | *resident* | weights | KV | compute | total |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    results = recorded("llamacpp")
    for load in loads:
        planned, log = plan(load), results[load.name]["log"]
        resident = results[load.name]["served"]["resident"]
        errors = [
            error(planned.weights, log["weights_bytes"]),
            error(planned.kv, log["kv_bytes"]),
            error(planned.compute, log["compute_bytes"]),
            error(planned.total, resident),
        ]
        sizes = [planned.weights, planned.kv, planned.compute, planned.total, resident]
        cells = [load.name, *(f"{one / MIB:.0f}" for one in sizes), *(_percent(one) for one in errors)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def vllm_table(loads: tuple[VllmLoad, ...], tokens: dict[str, int]) -> str:
    """Tokens of the cache, planned and in the log."""
    lines = ["| load | for the cache | block | planned | log | concurrency in the log |", "|---|---|---|---|---|---|"]
    results = recorded("vllm")
    for load in loads:
        serve, log = SERVE | load.serve, results[load.name]["log"]
        cells = [load.name, f"{count(serve['kv_cache_memory_bytes'])} B", str(serve.get("block_size", 128))]
        cells += [count(tokens[load.name]), count(log["kv_tokens"]), f"{log['max_concurrency']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    tenths = round(share * 1000)
    return f"{tenths / 10:+.1f} %" if tenths else "0.0 %"


def error(planned: int, measured: int) -> float:
    """A share of what was measured; above zero where the plan was too careful."""
    return planned / measured - 1
