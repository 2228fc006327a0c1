"""From what was read to what a load of the planned sequences takes of one device."""

from __future__ import annotations

from quantdeck_core.errors import InputError
from quantdeck_core.fleet.cells import size
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.engine_log import Measured
from quantdeck_core.memory.estimates import Estimates
from quantdeck_core.memory.load import Observed
from quantdeck_core.memory.need import need_of
from quantdeck_core.memory.serving import Need, Serving
from quantdeck_core.profile.names import VLLM


def counted_in_logs(
    checkpoint: Checkpoint, serving: Serving, sequences: int, given: Estimates, device: Device, planned: Need
) -> Need:
    """What a log's figures are to be held against.

    vLLM's lines are of one worker, so of one device, as the plan. llama.cpp counts the buffers of all GPUs and those in
    RAM beside them: against it stand all weights, as they are stored, and the cache of all layers.
    """
    if serving.engine in VLLM or device.kind != "gpu":
        return planned
    need = need_of(checkpoint, serving, sequences, serving.max_model_len, given, None)
    return need._replace(weights=checkpoint.weights_bytes)


def observed(
    serving: Serving, sequences: int, planned: Need, counted: Need, total: int | None, log: Measured | None
) -> Observed:
    """Comparable with the plan.

    Args:
        planned: on one device, without a correction, for `sequences` of `serving.max_model_len`.
        counted: as `counted_in_logs` says.
        total: measured on the fullest device, bytes.
        log: what the engine's log says; None where there is none.

    Raises:
        InputError: nothing follows from what was measured.
    """
    said = log or Measured()
    if serving.engine in VLLM:
        return _of_a_pool(serving, sequences, planned, total, said)
    if total is not None and planned == counted:
        # Buffers that nobody has used yet are no resident memory, and will be.
        parts = (said.weights_bytes, said.kv_bytes, said.compute_bytes, said.output_bytes)
        total = max(total, sum(part or 0 for part in parts))
    return Observed(
        total=total,
        weights=_part(said.weights_bytes, planned.weights, counted.weights),
        kv=_part(said.kv_bytes, planned.kv, counted.kv),
    )


def _of_a_pool(serving: Serving, sequences: int, planned: Need, total: int | None, said: Measured) -> Observed:
    """vLLM gives all memory it may have to the KV cache: what is not cache is measured, the cache is counted again."""
    weights, pool, full = said.weights_bytes, said.kv_bytes, said.max_concurrency
    kv = round(pool / full * sequences) if pool is not None and full else None
    if total is None:
        return Observed(weights=weights, kv=kv)
    if pool is None:
        raise InputError(
            f"{serving.engine} fills the memory that it may have with KV cache, so its total alone says nothing.",
            "Add its log, which says how large the cache is: --log FILE.",
        )
    if pool > total:
        raise InputError(
            f"The KV cache alone has {size(pool)} by the log, and the total is only {size(total)}.",
            "Take both from the same load, and the total of one device.",
        )
    return Observed(total=total - pool + (planned.kv if kv is None else kv), weights=weights, kv=kv)


def _part(measured: int | None, planned: int, counted: int) -> int | None:
    """One device's part of what was counted on all."""
    if measured is None or planned == counted:
        return measured
    return round(measured * planned / counted) if counted else None
