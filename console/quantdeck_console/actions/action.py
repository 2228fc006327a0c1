"""What an action is, and the one place that says whether it may be done."""

from __future__ import annotations

from dataclasses import dataclass

from quantdeck_core.fleet.state import HostView

READONLY = "this console was started with --readonly"
PLAYED = "this is a recording: nothing can be changed in it"


@dataclass(frozen=True)
class Action:
    """Something a key does.

    Attributes:
        id: the screen's method is `action_<id>`.
        keys: as Textual names them; `shown` as people do.
        where: the screen it belongs to; `panes` means each pane.
        dangerous: changes something on a host; gone in read-only mode and for viewers.
        fleet_wide: changes all hosts: refused only where it is on each of them.
        footer: whether the footer has room for it.
        palette: whether choosing it by name makes sense.
        playing: only there while a recording is played.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    title: str
    help: str
    where: str
    dangerous: bool = False
    fleet_wide: bool = False
    footer: bool = False
    palette: bool = True
    playing: bool = False

    @property
    def role(self) -> str:
        """The least role that an agent asks for it."""
        return "operator" if self.dangerous else "viewer"


def refusal(action: Action, *, readonly: str, view: HostView | None) -> str:
    """Why an action is not available, or nothing: the one place that decides it.

    An unknown role (not connected yet) is left to the agent, which checks every change anyway.

    Args:
        readonly: why nothing may be changed anywhere; empty where something may.
    """
    if not action.dangerous:
        return ""
    if readonly:
        return readonly
    if view is None:
        return ""
    if view.link.read_only:
        return f"{view.name} speaks another version; update its agent"
    return f"you are a viewer on {view.name}" if view.link.role == "viewer" else ""
