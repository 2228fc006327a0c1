"""The list of pages."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "Enter", "open", "the experiment or the host that it is about", "alarms", footer=True),
    Action(
        "take", ("t",), "t", "acknowledge", "take the page: it is not repeated; asks for a note", "alarms",
        dangerous=True, footer=True,
    ),
    Action(
        "snooze", ("s",), "s", "snooze", "quiet for a while; asks for how long", "alarms", dangerous=True, footer=True
    ),
    Action(
        "hand_over", ("h",), "h", "hand over", "somebody else takes it; asks who, and for a note", "alarms",
        dangerous=True, footer=True,
    ),
    Action(
        "take_all", ("T",), "T", "take all", "acknowledge every page that nobody has; asks for a note", "alarms",
        dangerous=True, fleet_wide=True,
    ),
)  # fmt: skip
