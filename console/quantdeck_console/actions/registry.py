"""Every action once: bindings, footer, help, palette and read-only mode are made from this list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quantdeck_core.fleet.state import HostView

PANES = ("fleet", "experiment")

_TITLES = {
    "panes": "Everywhere",
    "fleet": "Fleet",
    "experiment": "Experiment",
    "weight": "Weight dialog",
    "rollback": "Rollback dialog",
    "clear": "Clear dialog",
}


@dataclass(frozen=True)
class Action:
    """Something a key does.

    Attributes:
        id: the screen's method is `action_<id>`.
        keys: as Textual names them; `shown` as people do.
        where: the screen it belongs to; `panes` means each pane.
        dangerous: changes traffic; gone in read-only mode and for viewers.
        footer: whether the footer has room for it.
        palette: whether choosing it by name makes sense.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    title: str
    help: str
    where: str
    dangerous: bool = False
    footer: bool = False
    palette: bool = True

    @property
    def role(self) -> str:
        """The least role that an agent asks for it."""
        return "operator" if self.dangerous else "viewer"


ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "Enter", "open", "open the experiment of the host", "fleet", footer=True),
    Action(
        "weight", ("w",), "w", "weight", "change the treatment's share of users", "fleet", dangerous=True, footer=True
    ),
    Action(
        "roll_back", ("R",), "R", "roll back", "put everyone back on the control; asks first", "fleet",
        dangerous=True, footer=True,
    ),
    Action("filter", ("slash",), "/", "filter", "show only hosts with these words; ! inverts", "fleet", footer=True),
    Action("unfilter", ("escape",), "Esc", "show all", "drop the filter", "fleet", palette=False),
    Action(
        "weight", ("w",), "w", "weight", "change the treatment's share of users", "experiment", dangerous=True,
        footer=True,
    ),
    Action(
        "roll_back", ("R",), "R", "roll back", "put everyone back on the control; asks first", "experiment",
        dangerous=True, footer=True,
    ),
    Action(
        "clear", ("c",), "c", "clear latch", "let a rolled-back treatment start again at 5 %; asks why", "experiment",
        dangerous=True, footer=True,
    ),
    Action("next_experiment", ("tab",), "Tab", "next", "the next experiment of the fleet", "experiment"),
    Action("back", ("escape",), "Esc", "back", "back to the fleet", "experiment", footer=True, palette=False),
    Action("fleet", ("1",), "1", "Fleet", "all hosts, worst first", "panes"),
    Action("experiment", ("4",), "4", "Experiment", "both arms side by side", "panes"),
    Action("down", ("j", "down"), "j", "down", "down; also the arrow", "panes", palette=False),
    Action("up", ("k", "up"), "k", "up", "up; also the arrow", "panes", palette=False),
    Action("top", ("g", "home"), "g", "top", "to the top", "panes", palette=False),
    Action("bottom", ("G", "end"), "G", "bottom", "to the bottom", "panes", palette=False),
    Action("copy", ("y",), "y", "copy", "copy the sentence under the cursor", "panes"),
    Action("palette", ("colon", "ctrl+p"), ":", "palette", "all actions by name; also ctrl+p", "panes", palette=False),
    Action("help", ("question_mark",), "?", "help", "this page", "panes", footer=True),
    Action("quit", ("q",), "q", "quit", "leave the console", "panes", footer=True),
    Action("apply_weight", ("enter",), "Enter", "apply", "set the weight", "weight", dangerous=True, footer=True),
    Action("cancel", ("escape",), "Esc", "cancel", "change nothing", "weight", footer=True),
    Action("confirm", ("y",), "y", "roll back", "do it; Enter never does", "rollback", dangerous=True, footer=True),
    Action("cancel", ("n", "escape"), "n Esc", "cancel", "change nothing", "rollback", footer=True),
    Action("clear_latch", ("enter",), "Enter", "clear", "clear the latch", "clear", dangerous=True, footer=True),
    Action("cancel", ("escape",), "Esc", "cancel", "change nothing", "clear", footer=True),
    Action("choose", ("enter",), "Enter", "do", "do what is under the cursor", "palette", footer=True),
    Action("down", ("down", "ctrl+n"), "Down", "down", "next", "palette"),
    Action("up", ("up",), "Up", "up", "previous", "palette"),
    Action("cancel", ("escape",), "Esc", "close", "do nothing", "palette", footer=True),
    Action("down", ("j", "down", "pagedown", "space"), "j", "down", "scroll down", "help", footer=True),
    Action("up", ("k", "up", "pageup"), "k", "up", "scroll up", "help", footer=True),
    Action("close", ("escape", "q", "question_mark"), "Esc", "back", "close the help", "help", footer=True),
)  # fmt: skip


def actions_of(screen: str) -> Iterator[Action]:
    """The screen's own actions, then those of every pane."""
    yield from (action for action in ACTIONS if action.where == screen)
    if screen in PANES:
        yield from (action for action in ACTIONS if action.where == "panes")


def action_of(screen: str, action_id: str) -> Action | None:
    """The action that a method of this screen stands for."""
    return next((action for action in actions_of(screen) if action.id == action_id), None)


def action_for_key(screen: str, key: str) -> Action | None:
    """The action that a key means on this screen."""
    return next((action for action in actions_of(screen) if key in action.keys), None)


def groups(first: str) -> Iterator[tuple[str, tuple[Action, ...]]]:
    """All actions under the titles of where they work, the present screen's first."""
    for where in (first, *(other for other in _TITLES if other != first)):
        yield _TITLES[where], tuple(action for action in ACTIONS if action.where == where)


def refusal(action: Action, *, readonly: bool, view: HostView | None) -> str:
    """Why an action is not available, or nothing: the one place that decides it.

    An unknown role (not connected yet) is left to the agent, which checks every change anyway.
    """
    if not action.dangerous:
        return ""
    if readonly:
        return "this console was started with --readonly"
    if view is None:
        return ""
    if view.link.read_only:
        return f"{view.name} speaks another version; update its agent"
    return f"you are a viewer on {view.name}" if view.link.role == "viewer" else ""
