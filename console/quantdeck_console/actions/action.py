"""What an action is, and the one place that says whether it may be done."""

from __future__ import annotations

from dataclasses import dataclass

from quantdeck_core.fleet.state import HostView


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

    @property
    def role(self) -> str:
        """The least role that an agent asks for it."""
        return "operator" if self.dangerous else "viewer"


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
