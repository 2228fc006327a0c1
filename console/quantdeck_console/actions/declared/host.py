"""Pane 2."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("logs", ("l",), "l", "logs", "follow the log of the engine under the cursor", "host", footer=True),
    Action(
        "restart_engine", ("r",), "r", "restart", "new processes of the engine under the cursor; asks first", "host",
        dangerous=True, footer=True,
    ),
    Action(
        "stop_engine", ("s",), "s", "stop", "drain and end the engine under the cursor; asks for its name", "host",
        dangerous=True, footer=True,
    ),
    Action(
        "swap_engine", ("S",), "S", "swap", "restart where there is no room for both: end the old one first", "host",
        dangerous=True,
    ),
    Action("page_down", ("pagedown", "space"), "PgDn", "page down", "a screen further", "host", palette=False),
    Action("page_up", ("pageup",), "PgUp", "page up", "a screen back", "host", palette=False),
    Action("next_subject", ("tab",), "Tab", "next host", "the next host, the worst first", "host"),
)  # fmt: skip
