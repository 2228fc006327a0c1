"""What an engine needs, whichever it is."""

from __future__ import annotations

from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.estimates import Estimates
from quantdeck_core.memory.llamacpp_need import llamacpp_need, placement
from quantdeck_core.memory.serving import Need, Serving
from quantdeck_core.memory.vllm import vllm_need
from quantdeck_core.profile.names import LLAMACPP, VLLM


def need_of(
    checkpoint: Checkpoint, serving: Serving, sequences: int, tokens: int, given: Estimates, device: Device | None
) -> Need:
    """Bytes on one device for `sequences` of `tokens` each.

    Args:
        device: None where none was named; llama.cpp is then taken to run on a CPU.

    Raises:
        ShapeUnknownError: the KV cache cannot be planned.
        InputError: quantdeck does not plan this engine.
    """
    if serving.engine in VLLM:
        return vllm_need(checkpoint, serving, sequences, tokens, given)
    if serving.engine in LLAMACPP:
        return llamacpp_need(checkpoint, serving, sequences, tokens, placement(device))
    raise InputError(
        f"quantdeck does not plan the memory of {serving.engine}.", f"It does for {', '.join(VLLM + LLAMACPP)}."
    )


def proved_weights(checkpoint: Checkpoint, serving: Serving, need: Need) -> int:
    """Bytes of weights on one device that the headers prove: what is planned beyond them (copies) is an estimate."""
    return min(need.weights, -(-checkpoint.weights_bytes // serving.gpus))
