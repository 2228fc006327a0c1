"""What a reading says of its GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.health.condition import Condition
from quantdeck_core.protocol.host import GpuSample, HostSample, LostGpu

HOT_MARGIN_C = 3
"""An alarm this far below the temperature at which the GPU slows down: before it does."""
COOL_MARGIN_C = 8
POWER_CAPPED_BELOW = 0.6
"""A power cap is how a GPU at full load lives, and no alarm; below this share of its highest clock it costs much."""
_THERMAL = {"hw-thermal", "sw-thermal"}
_BRAKED = {"hw-power-brake"}


def gpu_conditions(sample: HostSample) -> Iterator[Condition]:
    """All conditions of all GPUs."""
    for lost in sample.lost_gpus:
        yield _lost(lost, True)
    for gpu in sample.gpus:
        yield _lost(gpu, False)
        yield _hot(gpu)
        yield _throttled(gpu)
        yield _power_capped(gpu)
        yield _uncorrected(gpu)
        yield _repair(gpu)


def gpu_key(gpu: GpuSample | LostGpu) -> str:
    """What its conditions are called after, e.g. `hot:gpu:GPU-5a1b`: `gpu:GPU-5a1b`."""
    return f"gpu:{gpu.uuid or gpu.index}"


def _of(gpu: GpuSample | LostGpu) -> str:
    return f"GPU {gpu.index} ({gpu.name})"


def _lost(gpu: GpuSample | LostGpu, lost: bool) -> Condition:
    return Condition(
        key=f"lost:{gpu_key(gpu)}",
        bad=lost,
        good=not lost,
        level="fail",
        text=f"{_of(gpu)} does not answer{f': {gpu.note}' if isinstance(gpu, LostGpu) else ''}",
        hint="Look for Xid errors in `dmesg`; engines on it must move. Reset the GPU or reboot, then check its seat.",
        over=f"{_of(gpu)} answers again",
        hold_s=3.0,
    )


def _hot(gpu: GpuSample) -> Condition:
    known = gpu.temperature_c is not None and gpu.slowdown_c is not None
    degrees, limit = gpu.temperature_c or 0, gpu.slowdown_c or 0
    return Condition(
        key=f"hot:{gpu_key(gpu)}",
        bad=degrees >= limit - HOT_MARGIN_C if known else None,
        good=degrees < limit - COOL_MARGIN_C if known else None,
        level="warn",
        text=f"{_of(gpu)} is at {degrees} C and slows down from {limit} C",
        hint=f"Check fans and inlet air, or lower its power: nvidia-smi -i {gpu.index} -pl WATTS.",
        over=f"{_of(gpu)} is at {degrees} C again",
        hold_s=5.0,
    )


def _throttled(gpu: GpuSample) -> Condition:
    reasons = set(gpu.throttle or ())
    slowed = reasons & (_THERMAL | _BRAKED)
    if reasons & _BRAKED:
        hint = "The power supply asks for less: check PSUs and their cables."
    else:
        hint = f"Check fans and inlet air, or lower its power: nvidia-smi -i {gpu.index} -pl WATTS."
    return Condition(
        key=f"throttled:{gpu_key(gpu)}",
        bad=None if gpu.throttle is None else bool(slowed),
        good=None if gpu.throttle is None else not slowed,
        level="warn",
        text=f"{_of(gpu)} is slowed down by its hardware: {', '.join(sorted(slowed))}",
        hint=hint,
        over=f"{_of(gpu)} is not slowed down any more",
        hold_s=10.0,
    )


def _power_capped(gpu: GpuSample) -> Condition:
    known = gpu.throttle is not None and gpu.clocks.sm_mhz is not None and gpu.clocks.max_sm_mhz is not None
    share = (gpu.clocks.sm_mhz or 0) / (gpu.clocks.max_sm_mhz or 1)
    capped = "power-cap" in (gpu.throttle or ())
    limit = f" of {gpu.power_limit_w:.0f} W" if gpu.power_limit_w is not None else ""
    return Condition(
        key=f"power:{gpu_key(gpu)}",
        bad=capped and share < POWER_CAPPED_BELOW if known else None,
        good=not capped or share > POWER_CAPPED_BELOW + 0.1 if known else None,
        level="warn",
        text=f"{_of(gpu)} runs at {share * 100:.0f} % of its clock because of its power limit{limit}",
        hint=f"Raise the limit if the power supply allows it: nvidia-smi -i {gpu.index} -pl WATTS.",
        over=f"{_of(gpu)} is not held back by its power limit any more",
        hold_s=60.0,
    )


def _uncorrected(gpu: GpuSample) -> Condition:
    count = gpu.ecc.uncorrected
    return Condition(
        key=f"ecc:{gpu_key(gpu)}",
        bad=None if count is None else count > 0,
        good=None if count is None else count == 0,
        level="fail",
        text=f"{_of(gpu)} has had {count} uncorrectable memory errors since its driver was loaded",
        hint="Drain it and reset it (nvidia-smi -r); answers given since then may be wrong. If it returns, replace it.",
        over=f"{_of(gpu)} has no uncorrectable memory errors any more",
    )


def _repair(gpu: GpuSample) -> Condition:
    return Condition(
        key=f"repair:{gpu_key(gpu)}",
        bad=gpu.ecc.repair_pending,
        good=None if gpu.ecc.repair_pending is None else not gpu.ecc.repair_pending,
        level="warn",
        text=f"{_of(gpu)} has broken memory that it replaces at its next reset",
        hint="Drain it when traffic allows and reset it: nvidia-smi -r.",
        over=f"{_of(gpu)} has replaced its broken memory",
    )
