"""What llama.cpp needs on one device, and in RAM beside a GPU."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.gguf_repack import AVX2, NEON_DOTPROD
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.llamacpp import memory_on_cpu
from quantdeck_core.memory.llamacpp_kv import context_of
from quantdeck_core.memory.offload import offload
from quantdeck_core.memory.serving import Need, Serving


class Placement(NamedTuple):
    """What computes.

    Attributes:
        cpu: without a GPU: the kind of CPU, as in `Checkpoint.resident_bytes`; None where there is a GPU.
        unified: CPU and GPU share the memory.
    """

    cpu: str | None = AVX2.name
    unified: bool = False


def placement(device: Device | None) -> Placement:
    """Of a device; an x86 CPU where none was named."""
    if device is None or device.kind == "cpu":
        return Placement()
    if device.kind == "edge" and not device.sm:
        return Placement(NEON_DOTPROD.name)
    return Placement(None, device.kind != "gpu")


def llamacpp_need(checkpoint: Checkpoint, serving: Serving, sequences: int, tokens: int, at: Placement) -> Need:
    """Weights and cache of the layers that are put there; the rest is in RAM.

    Args:
        sequences: slots; llama.cpp reserves the whole context of each at its start.

    Raises:
        ShapeUnknownError: the KV cache cannot be planned.
    """
    batch = serving.max_num_batched_tokens
    context = context_of(tokens * sequences, sequences, batch=batch, ubatch=batch)
    in_ram = (checkpoint.resident_bytes or {}).get(at.cpu or "", checkpoint.weights_bytes)
    all_of_it = memory_on_cpu(
        checkpoint, in_ram, context, serving.kv, serving.kv, flash_attention=serving.flash_attention
    )
    process = all_of_it.process + all_of_it.output
    growth = serving.prompt_cache_bytes + all_of_it.checkpoints
    if at.cpu is not None or at.unified:
        return Need(in_ram, all_of_it.kv, all_of_it.compute + process, growth=growth)
    split = offload(checkpoint, serving.n_gpu_layers)
    cache = round(all_of_it.kv * split.cache_share)
    host = split.host_weights + all_of_it.kv - cache + process + growth
    host += all_of_it.compute if split.cache_share < 1 else 0
    return Need(-(-split.gpu_weights // serving.gpus), -(-cache // serving.gpus), all_of_it.compute, host)
