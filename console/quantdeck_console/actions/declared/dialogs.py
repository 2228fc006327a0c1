"""What dialogs, the palette and the help do."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("apply_weight", ("enter",), "Enter", "apply", "set the weight", "weight", dangerous=True, footer=True),
    Action("everywhere", ("ctrl+g",), "Ctrl+G", "all", "on all gateways of the experiment, or on one", "weight"),
    Action("cancel", ("escape",), "Esc", "cancel", "change nothing", "weight", footer=True),
    Action("confirm", ("y",), "y", "roll back", "do it; Enter never does", "rollback", dangerous=True, footer=True),
    Action("cancel", ("n", "escape"), "n Esc", "cancel", "change nothing", "rollback", footer=True),
    Action("submit", ("enter",), "Enter", "do", "send what was typed", "form", dangerous=True, footer=True),
    Action("confirm", ("y",), "y", "do", "where nothing is to be typed", "form", dangerous=True, footer=True),
    Action("everywhere", ("ctrl+g",), "Ctrl+G", "all", "on all gateways of the experiment, or on one", "form"),
    Action("cancel", ("escape",), "Esc", "cancel", "change nothing", "form", footer=True),
    Action("choose", ("enter",), "Enter", "do", "do what is under the cursor", "palette", footer=True),
    Action("down", ("down", "ctrl+n"), "Down", "down", "next", "palette"),
    Action("up", ("up",), "Up", "up", "previous", "palette"),
    Action("cancel", ("escape",), "Esc", "close", "do nothing", "palette", footer=True),
    Action("down", ("j", "down", "pagedown", "space"), "j", "down", "scroll down", "reader", footer=True),
    Action("up", ("k", "up", "pageup"), "k", "up", "scroll up", "reader", footer=True),
    Action("close", ("escape", "enter", "q"), "Esc", "back", "close what was opened", "reader", footer=True),
    Action("down", ("j", "down", "pagedown", "space"), "j", "down", "scroll down", "help", footer=True),
    Action("up", ("k", "up", "pageup"), "k", "up", "scroll up", "help", footer=True),
    Action("close", ("escape", "q", "question_mark"), "Esc", "back", "close the help", "help", footer=True),
)  # fmt: skip
