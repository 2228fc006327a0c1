"""Which of llama.cpp's weights are on the GPU.

Source: llama.cpp `src/llama-model.cpp`, `load_tensors`: the last `n_gpu_layers` repeated layers, and the output as one
layer more; the token embedding always stays in RAM.
"""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.formats.checkpoint import Checkpoint


class Offload(NamedTuple):
    """Bytes of weights on the GPUs and in RAM, and the share of the KV cache that is with them on the GPUs."""

    gpu_weights: int
    host_weights: int
    cache_share: float


def offload(checkpoint: Checkpoint, n_gpu_layers: int) -> Offload:
    """The division of a GGUF; layers are taken as equally large.

    Args:
        n_gpu_layers: -1 for all.
    """
    layers = checkpoint.layers or 1
    repeated = checkpoint.layers_bytes if checkpoint.layers_bytes is not None else checkpoint.weights_bytes
    embedding = checkpoint.embedding_bytes or 0
    output = checkpoint.weights_bytes - repeated - embedding
    there = layers + 1 if n_gpu_layers < 0 else min(n_gpu_layers, layers + 1)
    moved = min(there, layers)
    on_gpu = repeated * moved // layers
    if there > layers:
        on_gpu += output + (embedding if checkpoint.tied else 0)
    in_ram = checkpoint.weights_bytes - on_gpu + (embedding if checkpoint.tied and there > layers else 0)
    return Offload(on_gpu, in_ram, moved / layers)
