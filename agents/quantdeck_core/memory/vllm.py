"""What vLLM needs on one GPU, or in RAM."""

from __future__ import annotations

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.estimates import MIB, Estimates
from quantdeck_core.memory.serving import Need, Serving
from quantdeck_core.memory.vllm_kv import VllmCache, cache_bytes

_GPU_BLOCK, _CPU_BLOCK = 16, 128
"""Tokens of a block, unless `--block-size` says otherwise."""
_ACTIVATION_BYTES = 2
_LOGIT_BYTES = 4
_FFN_BY_HIDDEN = 3.5
"""FFN to hidden size where the checkpoint does not say: between Llama 2's 2.7 and Mistral's 3.5."""


def vllm_need(checkpoint: Checkpoint, serving: Serving, sequences: int, tokens: int, given: Estimates) -> Need:
    """Weights and cache are divided among the GPUs; every process has the overhead.

    Args:
        sequences: that have room in the cache at `tokens` each.

    Raises:
        ShapeUnknownError: the KV cache cannot be planned.
    """
    weights = -(-checkpoint.weights_bytes // serving.gpus)
    on_cpu = serving.engine == "vllm-cpu"
    cache = VllmCache(
        block_size=_CPU_BLOCK if on_cpu else _GPU_BLOCK,
        kind=serving.kv,
        max_model_len=tokens,
        # On a GPU scheduling is asynchronous: two batches are under way.
        in_flight=(1 if on_cpu else 2) * serving.max_num_batched_tokens,
        tp=serving.tensor_parallel,
    )
    kv = -(-cache_bytes(checkpoint, sequences, cache) // serving.pipeline_parallel)
    scheduled = max(sequences, serving.max_num_seqs)
    if on_cpu:
        return Need(
            weights, kv, given.vllm_cpu.process_mib * MIB + activation_bytes(checkpoint, serving, scheduled, given)
        )
    fixed = given.vllm.context_mib + (given.vllm.collective_mib if serving.gpus > 1 else 0)
    fixed += 0 if serving.enforce_eager else given.vllm.graphs_mib
    return Need(weights, kv, fixed * MIB + activation_bytes(checkpoint, serving, scheduled, given))


def activation_bytes(checkpoint: Checkpoint, serving: Serving, scheduled: int, given: Estimates) -> int:
    """The peak while a full batch is processed, and the logits of all scheduled sequences. An estimate."""
    hidden = checkpoint.hidden_size or 0
    ffn = checkpoint.intermediate_size or int(hidden * _FFN_BY_HIDDEN)
    ffn *= checkpoint.experts_used or 1
    a_token = given.vllm.hidden_copies * hidden + given.vllm.ffn_copies * ffn / serving.tensor_parallel
    logits = given.vllm.logits_copies * (checkpoint.vocab_size or 0) * scheduled
    batch = serving.max_num_batched_tokens * a_token * _ACTIVATION_BYTES
    return int(batch + logits * _LOGIT_BYTES)
