"""What the judge says where only windows are known: the fixed limits alone."""

from __future__ import annotations

from quantdeck_core.drift.floor import absolute_verdict, floor_findings, missing_verdict
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.verdict import HEALTHY, Verdict
from quantdeck_core.drift.window import WindowStats


def floor_verdict(control: WindowStats, treatment: WindowStats, limits: Thresholds) -> Verdict:
    """Hold the treatment against the limits and against the control that runs beside it.

    The repetition limit is absolute, so that it needs the treatment's answers only; where the control breaks it too,
    the cause lies upstream of the quantization and nothing should move. Everything else is relative and needs both
    arms.
    """
    upstream = absolute_verdict(control, treatment, limits)
    if upstream:
        return upstream
    incomplete = missing_verdict("treatment", treatment, limits)
    if incomplete:
        return incomplete
    found = sorted(floor_findings(control, treatment, limits), key=lambda one: one.kind != "breach")
    if found and found[0].kind == "breach":
        return found[0]
    return missing_verdict("control", control, limits) or (found[0] if found else HEALTHY)
