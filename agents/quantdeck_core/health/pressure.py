"""Heat, memory, disk and broken hardware: pure, from one reading after the other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from quantdeck_core.health.condition import NO_EPISODES, Condition, Edge, Episodes, follow
from quantdeck_core.health.gpu_conditions import gpu_conditions
from quantdeck_core.health.host_conditions import host_conditions
from quantdeck_core.protocol.host import HostSample

SWAP_WINDOW_S = 60.0
_SWAP_STEP_S = 10.0


class PressureState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered between readings.

    Attributes:
        swap: time and bytes in use, over the last minute.
    """

    episodes: Episodes = NO_EPISODES
    swap: tuple[tuple[float, int], ...] = ()


def assess(state: PressureState, sample: HostSample) -> tuple[PressureState, tuple[Edge, ...]]:
    """The state after a reading, and what began or ended with it."""
    swap = _swap(state.swap, sample)
    episodes, edges = follow(state.episodes, _conditions(sample, _growth(swap, sample)), sample.t)
    return PressureState(episodes=episodes, swap=swap), edges


def _conditions(sample: HostSample, swap_growth: int | None) -> Iterator[Condition]:
    yield from gpu_conditions(sample)
    yield from host_conditions(sample, swap_growth)


def _swap(known: tuple[tuple[float, int], ...], sample: HostSample) -> tuple[tuple[float, int], ...]:
    """One figure each ten seconds of the last minute; begun again where the clock or the figure is lost."""
    if sample.swap_used_bytes is None or (known and sample.t < known[-1][0]):
        return ()
    kept = tuple(one for one in known if one[0] >= sample.t - SWAP_WINDOW_S)
    if kept and sample.t - kept[-1][0] < _SWAP_STEP_S:
        return kept
    return (*kept, (sample.t, sample.swap_used_bytes))


def _growth(swap: tuple[tuple[float, int], ...], sample: HostSample) -> int | None:
    """Bytes of swap more than at the least of the last minute; None without a figure."""
    if sample.swap_used_bytes is None or not swap:
        return None
    return sample.swap_used_bytes - min(used for _, used in swap)
