"""What an earlier load teaches the next plan."""

from __future__ import annotations

import msgspec

from quantdeck_core.memory.serving import Need


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Measured against planned, of one device.

    Weights and cache scale with what is served, so they are corrected by a ratio; overhead is corrected by bytes.

    Attributes:
        weights: measured by planned; 1.0 where only the total was measured.
        kv: the same of the KV cache.
        overhead_bytes: to add to the planned overhead; below zero where the plan was too careful.
        loads: how many measurements it rests on.
    """

    weights: float = 1.0
    kv: float = 1.0
    overhead_bytes: int = 0
    loads: int = 1


def corrected(need: Need, correction: Correction | None) -> Need:
    """The need as measurements let expect it."""
    if correction is None:
        return need
    return Need(
        round(need.weights * correction.weights),
        round(need.kv * correction.kv),
        max(0, need.overhead + correction.overhead_bytes),
        need.host,
        need.growth,
    )


def correction_from(planned: Need, total: int, weights: int | None = None, kv: int | None = None) -> Correction:
    """What one load says.

    Args:
        planned: for the same flags, without a correction.
        total: measured on the device, bytes.
        weights, kv: as the engine's log said; None where it did not.
    """
    weights_now = planned.weights if weights is None else weights
    kv_now = planned.kv if kv is None else kv
    return Correction(
        weights=weights_now / planned.weights if planned.weights else 1.0,
        kv=kv_now / planned.kv if planned.kv else 1.0,
        overhead_bytes=total - weights_now - kv_now - planned.overhead,
    )
