"""How long nobody serves while one engine makes room for another: said before it begins."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.profile.names import VLLM, EngineKind

READ_BYTES_S = 500e6
"""Bytes a second at which weights come from a usual SSD when they are not in the page cache."""
BASE_S: dict[bool, float] = {True: 60.0, False: 3.0}
"""Whether it is vLLM -> seconds of a start besides reading weights: measured 41 to 58 s for the smallest model on a CPU
(its imports, its compilation), 0.1 to 2 s for llama.cpp."""
STOP_S = 2.0


class Outage(NamedTuple):
    """Seconds, and where they come from."""

    seconds: float
    measured: bool

    @property
    def words(self) -> str:
        """As people are told."""
        return f"about {self.seconds:.0f} s ({'as the last start took' if self.measured else 'estimated'})"


def outage(engine: EngineKind, weights_bytes: int | None, last_ready_s: float | None) -> Outage:
    """From the end of the old process to the first token of the new one.

    Args:
        last_ready_s: what an earlier start of this checkpoint on this engine took here; None where there was none.
    """
    if last_ready_s is not None:
        return Outage(round(STOP_S + last_ready_s, 1), True)
    load = (weights_bytes or 0) / READ_BYTES_S
    return Outage(round(STOP_S + BASE_S[engine in VLLM] + load, 1), False)
