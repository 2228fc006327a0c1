"""What llama.cpp needs on one device, and in RAM beside a GPU."""

from __future__ import annotations

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.estimates import MIB, Estimates
from quantdeck_core.memory.kv import sequence_bytes
from quantdeck_core.memory.offload import offload
from quantdeck_core.memory.serving import Need, Serving


def llamacpp_need(
    checkpoint: Checkpoint, serving: Serving, sequences: int, tokens: int, given: Estimates, *, on_gpu: bool
) -> Need:
    """Weights and cache of the layers that are put there; the rest is in RAM.

    Args:
        sequences: slots; llama.cpp reserves the whole context of each at its start.

    Raises:
        ShapeUnknownError: the KV cache cannot be planned.
    """
    kv = sequence_bytes(checkpoint, serving.kv, tokens, in_flight=serving.max_num_batched_tokens) * sequences
    process = given.llamacpp.process_mib * MIB
    compute = compute_bytes(checkpoint, serving)
    if not on_gpu:
        return Need(checkpoint.weights_bytes, kv, compute + process)
    split = offload(checkpoint, serving.n_gpu_layers)
    cache = round(kv * split.cache_share)
    host = split.host_weights + kv - cache + process + (compute if split.cache_share < 1 else 0)
    return Need(-(-split.gpu_weights // serving.gpus), -(-cache // serving.gpus), compute, host)


def compute_bytes(checkpoint: Checkpoint, serving: Serving) -> int:
    """Activations of one physical batch, and its logits."""
    widest = max(checkpoint.vocab_size or 0, 3 * (checkpoint.intermediate_size or 0))
    return serving.max_num_batched_tokens * (widest + 4 * (checkpoint.hidden_size or 0)) * 4
