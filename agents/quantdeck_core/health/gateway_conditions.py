"""What a gateway's counters say of too many requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quantdeck_core.health.condition import Condition
from quantdeck_core.protocol.gateway import RUNGS

_TOLD_FROM = RUNGS.index("spill")
"""Below it users wait, or get shorter answers, but each gets one from the arm that it belongs to."""


def gateway_conditions(rungs: Mapping[str, int]) -> Iterator[Condition]:
    """Overload, by arm.

    Args:
        rungs: of every arm, by `EXPERIMENT/VARIANT`; see `OverloadCounters`.
    """
    for arm, rung in rungs.items():
        experiment, _, variant = arm.rpartition("/")
        what = "some are refused" if RUNGS[min(rung, len(RUNGS) - 1)] == "shed" else "the other variant answers some"
        yield Condition(
            key=f"overload:{arm}",
            bad=rung >= _TOLD_FROM,
            good=rung < _TOLD_FROM,
            level="warn",
            text=f"{experiment}: the {variant} gets more requests than it can answer; {what}",
            hint="Give it another replica, or slow down who sends them.",
            over=f"{experiment}: the {variant} answers all its requests again",
        )
