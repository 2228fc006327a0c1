"""Pane 3."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("mark", ("space",), "Space", "choose", "this profile, or mark this host", "deploy", footer=True),
    Action(
        "start", ("enter",), "Enter", "deploy", "choose this profile, then deploy it; asks first", "deploy",
        dangerous=True, footer=True,
    ),
    Action(
        "cancel_operation", ("x",), "x", "cancel", "end what goes on on this host and undo it; asks first", "deploy",
        dangerous=True, footer=True,
    ),
    Action("next_list", ("tab",), "Tab", "list", "profiles, hosts, then what is below", "deploy", footer=True),
    Action("previous_list", ("shift+tab",), "S-Tab", "list before", "the other way round", "deploy", palette=False),
    Action("filter", ("slash",), "/", "filter", "show only profiles or hosts with these words", "deploy"),
    Action("path", ("p",), "p", "path", "name a profile's .toml file, or read it again", "deploy"),
    Action("rename", ("n",), "n", "name", "the engine's name on the hosts", "deploy"),
    Action("swap", ("s",), "s", "swap", "let the old one end first where both have no room", "deploy"),
    Action("force", ("F",), "F", "force", "start it although it was refused; asks for its name", "deploy"),
    Action("next_operation", ("o",), "o", "at work", "to the next host on which something goes on", "deploy"),
)  # fmt: skip
