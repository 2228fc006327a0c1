"""The log view, on top of panes 1 and 2."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("next_source", ("tab",), "Tab", "source", "the next log of this host", "logs", footer=True),
    Action("follow", ("f",), "f", "follow", "back to the newest line, and on with it", "logs", footer=True),
    Action("filter", ("slash",), "/", "filter", "show only lines with these words; ! inverts", "logs", footer=True),
    Action("up", ("k", "up"), "k", "up", "hold, and one line up", "logs", palette=False),
    Action("page_up", ("pageup",), "PgUp", "page up", "hold, and a screen up", "logs", palette=False),
    Action("page_down", ("pagedown", "space"), "PgDn", "page down", "a screen down", "logs", palette=False),
    Action("top", ("g", "home"), "g", "top", "hold, at the oldest line that is kept", "logs", palette=False),
    Action("bottom", ("G", "end"), "G", "bottom", "the newest line, as f", "logs", palette=False),
    Action("copy", ("y",), "y", "copy", "copy the line under the cursor", "logs"),
    Action("back", ("escape",), "Esc", "back", "drop the filter, else back", "logs", palette=False),
)  # fmt: skip
