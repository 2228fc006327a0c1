"""Pane 5."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("next_subject", ("tab",), "Tab", "next", "the next experiment of the fleet", "incident"),
)  # fmt: skip
