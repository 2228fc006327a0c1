"""Where a recording is played."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "pause", ("space",), "Space", "pause", "stop the recording, or let it go on", "panes",
        footer=True, playing=True,
    ),
    Action(
        "wind_back", ("less_than_sign",), "<", "1 min back", "wind the recording a minute back", "panes",
        footer=True, playing=True,
    ),
    Action(
        "wind_on", ("greater_than_sign",), ">", "1 min on", "wind the recording a minute on", "panes",
        footer=True, playing=True,
    ),
)  # fmt: skip
