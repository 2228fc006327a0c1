"""Pane 1."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "Enter", "open", "the experiment that is wrong, or the host", "fleet", footer=True),
    Action("filter", ("slash",), "/", "filter", "show only hosts with these words; ! inverts", "fleet", footer=True),
    Action("logs", ("l",), "l", "logs", "follow the logs of the selected host", "fleet"),
    Action("back", ("escape",), "Esc", "show all", "drop the filter", "fleet", palette=False),
)  # fmt: skip
