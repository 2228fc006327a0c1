"""What experience says about a plan, besides whether it fits. The thresholds and figures are the lesson's."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from quantdeck_core.fleet.cells import count, size
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.load import with_version
from quantdeck_core.memory.plan import Plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import UTILIZATION_LIMIT, Serving
from quantdeck_core.profile.names import VLLM

_GQA_HEADS = 8
_FLOAT_BITS = 16
_MORE_PERCENT = 5
"""So much more than planned is worth a word."""
_APART = 3
"""Measurements of one kind that differ by this ratio are not all of the same thing."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One remark; `code` is stable, for scripts."""

    code: str
    detail: str


def advise(plan: Plan, checkpoint: Checkpoint, serving: Serving, site: Site | None) -> tuple[Advice, ...]:
    """All that holds for this plan."""
    said = (
        *_engine(checkpoint, serving),
        *_cache(plan, checkpoint, serving),
        *_recurrent(checkpoint),
        *_machine(serving, site),
        *_measured(plan),
    )
    return tuple(Advice(code=code, detail=detail) for code, detail in said)


def _engine(checkpoint: Checkpoint, serving: Serving) -> Iterator[tuple[str, str]]:
    quantized = (checkpoint.bits or _FLOAT_BITS) < _FLOAT_BITS
    if serving.engine == "vllm" and quantized and serving.gpu_memory_utilization > UTILIZATION_LIMIT:
        yield (
            "utilization-high",
            f"gpu_memory_utilization {serving.gpu_memory_utilization:g} leaves CUDA and the driver too little under "
            f"load: for quantized models 0.90, and less for each of several engines on one GPU.",
        )
    if checkpoint.format == "bitsandbytes":
        yield (
            "nf4-production",
            "bitsandbytes is for development: at a batch of 32 and more GPTQ and AWQ are 2 to 3 times faster. "
            "Quantize the unquantized model to GPTQ or AWQ for production.",
        )
    if checkpoint.desc_act:
        yield (
            "desc-act",
            "desc_act=true improves perplexity by about 0.1 and costs 15 to 20 % of the throughput: only where quality "
            "is tight. vLLM rejects it together with groups.",
        )
    if checkpoint.format == "awq" and serving.max_num_seqs == 1:
        yield (
            "awq-batch-1",
            "AWQ's GEMM kernels are made for batches: for one sequence at a time GEMV kernels, or a GGUF on llama.cpp, "
            "have the lower latency.",
        )
    if checkpoint.context_length and serving.max_model_len > checkpoint.context_length:
        yield (
            "context-beyond-model",
            f"max_model_len {count(serving.max_model_len)} is beyond the {count(checkpoint.context_length)} tokens "
            f"that the model was made for: vLLM refuses it.",
        )


def _cache(plan: Plan, checkpoint: Checkpoint, serving: Serving) -> Iterator[tuple[str, str]]:
    if serving.all_full and plan.kv_bytes > plan.weights_bytes:
        shared = ""
        if checkpoint.heads and checkpoint.kv_heads == checkpoint.heads > _GQA_HEADS and not checkpoint.mla:
            grouped = plan.kv_bytes * _GQA_HEADS // checkpoint.heads
            shared = (
                f" Each of its {checkpoint.heads} heads has keys and values of its own (multi-head attention): with "
                f"{_GQA_HEADS} KV heads it would be {size(grouped)}. A rule of thumb such as 8 to 12 GB for a 7B model "
                f"at 4096 tokens and 32 sequences is far too low: by its own formula it is 64 GiB."
            )
        yield (
            "kv-beyond-weights",
            f"The KV cache of {count(plan.sequences)} sequences of {count(plan.max_model_len)} tokens "
            f"({size(plan.kv_bytes)}) is larger than the weights ({size(plan.weights_bytes)}).{shared}",
        )
    if plan.max_concurrency and serving.engine in VLLM and plan.max_concurrency < serving.max_num_seqs:
        yield (
            "waits-when-full",
            f"{count(plan.max_concurrency)} sequences of {count(plan.max_model_len)} tokens have room at once; of "
            f"max_num_seqs {count(serving.max_num_seqs)} the others wait, or are preempted and computed again.",
        )


def _recurrent(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    if (
        checkpoint.layers
        and checkpoint.attention_layers is not None
        and checkpoint.attention_layers < checkpoint.layers
    ):
        yield (
            "recurrent-state",
            f"{checkpoint.layers - checkpoint.attention_layers} of {checkpoint.layers} layers keep a state of fixed "
            f"size for each sequence, which is not counted here.",
        )


def _machine(serving: Serving, site: Site | None) -> Iterator[tuple[str, str]]:
    if site is None or site.device.kind != "gpu":
        return
    if serving.tensor_parallel > 1 and site.device.link not in ("nvlink", "xgmi"):
        yield (
            "tp-over-pcie",
            f"Tensor parallelism over PCIe: {site.device.title} has about {site.device.link_gb_s / 2:g} GB/s each way, "
            f"where A100s on NVLink have 600 GB/s: every layer waits for it twice. "
            f"Replicas of a smaller checkpoint, or --pp, need little of it.",
        )
    beside = -(-serving.replicas // max(1, site.amount // serving.gpus_per_host))
    if serving.engine == "vllm" and beside > 1:
        share = math.floor(min(serving.gpu_memory_utilization, UTILIZATION_LIMIT / beside) * 100) / 100
        yield (
            "share-utilization",
            f"vLLM books its share whatever it needs: {beside} engines on one GPU need gpu_memory_utilization "
            f"{share:.2f} each, and to be started one after the other.",
        )
    used = serving.gpus_per_host * serving.replicas
    if used < site.amount:
        yield (
            "gpus-idle",
            f"{used} of {site.amount} GPUs are used: the others have room for replicas.",
        )


def _measured(plan: Plan) -> Iterator[tuple[str, str]]:
    known = plan.correction
    if known is None:
        return
    if known.error_percent > _MORE_PERCENT:
        engine = with_version(plan.engine, known.engine_version)
        yield (
            "measured-more",
            f"This model on {engine} took {known.error_percent:.1f} % more than planned when it was measured: the plan "
            f"counts with that ({size(plan.total_bytes_per_gpu)} a device, by itself it says "
            f"{size(plan.planned_total_bytes_per_gpu)}).",
        )
    if known.spread >= _APART:
        yield (
            "measurements-disagree",
            f"Measurements disagree: of {known.loads} loads the largest is {known.spread:.1f} times the smallest. The "
            f"one in the middle is used. See `quantdeck measure list`, and forget what was measured wrongly.",
        )
