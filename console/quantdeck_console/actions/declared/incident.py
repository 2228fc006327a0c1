"""Pane 5, and what it asks before it does something."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "Enter", "open", "the whole of a line of the timeline, and what ran then", "incident",
           footer=True),
    Action("view", ("v",), "v", "view", "timeline, trends, replay, one after the other", "incident", footer=True),
    Action(
        "replay", ("p",), "p", "replay", "both arms answer the flagged prompts again: is it the quantization?",
        "incident", dangerous=True, footer=True,
    ),
    Action("filter", ("slash",), "/", "filter", "show only lines with these words, e.g. weight; ! inverts", "incident"),
    Action("findings", ("o",), "o", "findings", "all that was found, as long as it is", "incident"),
    Action("merge", ("m",), "m", "merge", "one timeline of all gateways, or of this host", "incident"),
    Action("export", ("e",), "e", "export", "all of it as a file, without users' words", "incident"),
    Action(
        "export_words", ("E",), "E", "export words", "all of it with what users wrote: asks both arms again",
        "incident", dangerous=True,
    ),
    Action("copy", ("y",), "y", "copy", "copy a summary, to hand the incident over", "incident"),
    Action("next_subject", ("tab",), "Tab", "next", "the next experiment of the fleet", "incident"),
    Action("back", ("escape",), "Esc", "back", "drop the filter, then back", "incident", palette=False),
    Action("confirm", ("y", "a"), "y a", "ask again", "y the newest prompts, a all of them", "replay", dangerous=True),
    Action("cancel", ("n", "escape"), "n Esc", "cancel", "ask nothing", "replay"),
    Action("write", ("enter",), "Enter", "write", "write the file that was named", "export"),
    Action("cancel", ("escape",), "Esc", "cancel", "close; what is under way goes on", "export"),
)  # fmt: skip
