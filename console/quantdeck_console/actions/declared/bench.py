"""Pane 6."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("signal", ("t",), "t", "latency", "TTFT, ITL, E2E by turns; a wide screen shows all", "bench", footer=True),
    Action("since", ("s",), "s", "all", "the last minutes, or all since the gateway counts", "bench", footer=True),
    Action(
        "measure", ("m",), "m", "measure", "measure the treatment's engine past the gateway; asks first", "bench",
        dangerous=True, footer=True,
    ),
    Action(
        "measure_control", ("M",), "M", "measure control", "measure the control's engine; asks first", "bench",
        dangerous=True,
    ),
    Action("next_subject", ("tab",), "Tab", "next", "the next experiment of the fleet", "bench"),
)  # fmt: skip
