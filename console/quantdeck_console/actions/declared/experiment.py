"""Pane 4."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "clear", ("c",), "c", "clear latch", "let a rolled-back treatment start again at 5 %; asks why", "experiment",
        dangerous=True, footer=True,
    ),
    Action("next_subject", ("tab",), "Tab", "next", "the next experiment of the fleet", "experiment"),
)  # fmt: skip
