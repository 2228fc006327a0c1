"""Pane 4."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "clear", ("c",), "c", "clear latch", "let a rolled-back treatment start again at 5 %; asks why", "experiment",
        dangerous=True, footer=True,
    ),
    Action(
        "pause_plan", ("p",), "p", "pause/resume", "hold its plan where it is, or let it go on", "experiment",
        dangerous=True, footer=True,
    ),
    Action(
        "promote_plan", ("P",), "P", "promote", "skip the rest of the plan's step; asks why", "experiment",
        dangerous=True,
    ),
    Action(
        "abort_plan", ("A",), "A", "abort", "end its plan, everyone on the control; asks first", "experiment",
        dangerous=True,
    ),
    Action(
        "finish", ("F",), "F", "finish", "end it: one arm is the baseline; asks why and its name",
        "experiment", dangerous=True,
    ),
    Action("drill", ("x",), "x", "drill", "rehearse a rollback; nobody is moved", "experiment", dangerous=True),
    Action("next_subject", ("tab",), "Tab", "next", "the next experiment of the fleet", "experiment"),
)  # fmt: skip
