"""What works on every pane."""

from __future__ import annotations

from quantdeck_console.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("fleet", ("1",), "1", "Fleet", "all hosts, worst first", "panes"),
    Action("host", ("2",), "2", "Host", "one machine: GPUs, engines, disk, logs", "panes"),
    Action("deploy", ("3", "d"), "3 d", "Deploy", "start an engine from a profile", "panes"),
    Action("experiment", ("4",), "4", "Experiment", "both arms side by side", "panes"),
    Action("incident", ("5", "i"), "5 i", "Incident", "what happened, and why", "panes"),
    Action("bench", ("6", "b"), "6 b", "Bench", "latencies of both arms beside the objective", "panes"),
    Action(
        "weight", ("w",), "w", "weight", "change the treatment's share of users", "panes", dangerous=True, footer=True
    ),
    Action(
        "roll_back", ("R",), "R", "roll back", "put everyone back on the control; asks first", "panes",
        dangerous=True, footer=True,
    ),
    Action("alarms", ("a",), "a", "alarms", "pages that go on in the whole fleet, and who has them", "panes"),
    Action(
        "freeze", ("f",), "f", "freeze", "hold all automation but rollbacks on all hosts; asks why", "panes",
        dangerous=True, fleet_wide=True,
    ),
    Action(
        "unfreeze", ("u",), "u", "unfreeze", "let automation go on, on all hosts; asks why", "panes",
        dangerous=True, fleet_wide=True,
    ),
    Action("back", ("escape",), "Esc", "back", "back to where you came from", "panes", footer=True, palette=False),
    Action("down", ("j", "down"), "j", "down", "down; also the arrow", "panes", palette=False),
    Action("up", ("k", "up"), "k", "up", "up; also the arrow", "panes", palette=False),
    Action("top", ("g", "home"), "g", "top", "to the top", "panes", palette=False),
    Action("bottom", ("G", "end"), "G", "bottom", "to the bottom", "panes", palette=False),
    Action("copy", ("y",), "y", "copy", "copy the sentence under the cursor", "panes"),
    Action("palette", ("colon", "ctrl+p"), ":", "palette", "all actions by name; also ctrl+p", "panes", palette=False),
    Action("help", ("question_mark",), "?", "help", "this page", "panes", footer=True),
    Action("quit", ("q",), "q", "quit", "leave the console", "panes", footer=True),
    Action("suspend_process", ("ctrl+z",), "ctrl+z", "to the shell", "stop the console; `fg` brings it back", "app"),
    Action("quit", ("ctrl+c",), "ctrl+c", "quit", "leave the console, whatever is open", "app"),
)  # fmt: skip
