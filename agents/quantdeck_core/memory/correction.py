"""What an earlier load teaches the next plan."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.memory.load import Observed
from quantdeck_core.memory.serving import Need

Basis = Literal["same", "similar"]
"""Loads with the same flags on the same device; else of the same model and version, other flags or another device."""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Measured against planned, of one device.

    Weights and cache scale with what is served, so they are corrected by a ratio; overhead is corrected by bytes.

    Attributes:
        loads: how many measurements it rests on; the figures are those of the one in the middle.
        basis: how close they are to what is planned.
        engine_version: of all of them.
        weights: measured by planned; 1.0 where it was not measured.
        kv: the same of the KV cache.
        overhead_bytes: to add to the planned overhead; below zero where the plan was too careful.
        error_percent: how much more than planned was measured, in per cent of what was planned.
        spread: the largest measurement by the smallest, each by its plan; 1.0 for one.
    """

    loads: int = 1
    basis: Basis = "same"
    engine_version: str = ""
    weights: float = 1.0
    kv: float = 1.0
    overhead_bytes: int = 0
    error_percent: float = 0.0
    spread: float = 1.0


def corrected(need: Need, correction: Correction | None, proved: int = 0) -> Need:
    """The need as measurements let expect it.

    Args:
        proved: bytes of weights that the headers prove; less is never planned.
    """
    if correction is None:
        return need
    return Need(
        max(proved, round(need.weights * correction.weights)),
        round(need.kv * correction.kv),
        max(0, need.overhead + correction.overhead_bytes),
        need.host,
        need.growth,
    )


def measured_need(planned: Need, measured: Observed, proved: int = 0) -> Need:
    """What a load took, part by part; the plan's figure where a part was not measured.

    Weights that were not in memory when it was measured (pages of a mapped file that nobody has used yet) will be, so
    `proved` is the least here as well.
    """
    weights = max(proved, planned.weights if measured.weights is None else measured.weights)
    kv = planned.kv if measured.kv is None else measured.kv
    overhead = planned.overhead if measured.total is None else max(0, measured.total - weights - kv)
    return planned._replace(weights=weights, kv=kv, overhead=overhead)


def correction_from(planned: Need, measured: Observed, proved: int = 0) -> Correction:
    """What one load says.

    Args:
        planned: for the same flags, without a correction.
        proved: as for `corrected`.
    """
    took = measured_need(planned, measured, proved)
    return Correction(
        weights=took.weights / planned.weights if planned.weights else 1.0,
        kv=took.kv / planned.kv if planned.kv else 1.0,
        overhead_bytes=took.overhead - planned.overhead,
        error_percent=error_percent(took.total, planned.total) or 0.0,
    )


def error_percent(measured: int | None, planned: int) -> float | None:
    """How much more than planned was measured, in per cent of what was planned; None where there is nothing to say."""
    if measured is None or planned <= 0:
        return None
    return (measured / planned - 1) * 100
