"""What panes and dialogs share: bindings from the registry, one gate for dangerous actions, and the size notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen

from quantdeck_console.actions.action import Action, refusal
from quantdeck_console.actions.registry import PANES, action_of, actions_of
from quantdeck_console.model.text import EMPTY, Line, Span, ends, fit, line, span, width_of
from quantdeck_console.terminal import MIN_COLUMNS, MIN_ROWS
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.fleet.state import HostView

if TYPE_CHECKING:
    from quantdeck_console.app import DeckApp


WIDE = 110
"""Columns from which on there is room for more than the necessary."""


def bindings_of(name: str, *, but: str = "", priority: bool = False) -> list[BindingType]:
    """Textual's bindings for a screen of the registry, without an action that the screen takes care of itself.

    Args:
        priority: before whatever has the focus.
    """
    return [
        Binding(",".join(action.keys), action.id, action.title, show=False, priority=priority)
        for action in actions_of(name)
        if action.id != but
    ]


class TooSmall(Lines):
    """Stands in for a screen that would not fit, until it does again."""

    DEFAULT_CSS = """
    TooSmall { display: none; width: 100%; height: 100%; }
    """

    def on_resize(self) -> None:
        """Say the present size."""
        size = self.app.size
        self.show(
            [
                EMPTY,
                line(" ", span("the terminal is too small", "warn")),
                line(f" it is {size.width}x{size.height}; enlarge it to {MIN_COLUMNS}x{MIN_ROWS}"),
            ]
        )


class DeckScreen(Screen[None]):
    """A screen of the registry; `NAME` is its name there."""

    NAME = ""

    @property
    def deck(self) -> DeckApp:
        """The application."""
        return cast("DeckApp", self.app)

    @property
    def too_small(self) -> bool:
        """Whether the notice covers the screen; then no key may change anything."""
        return self.app.size.width < MIN_COLUMNS or self.app.size.height < MIN_ROWS

    @property
    def covered(self) -> bool:
        """Whether nothing of it is seen: another pane is above it. Behind a dialog it is seen."""
        stack = self.app.screen_stack
        above = stack[stack.index(self) + 1 :] if self in stack else []
        return any(not one.is_modal for one in above)

    def __init__(self) -> None:
        super().__init__()
        self._composed = False
        self.told_size: Size | None = None
        """The last size that Textual passed on; a layout may have another one already."""

    def on_mount(self) -> None:
        """All widgets are there now: `is_mounted` is true before they are."""
        self._composed = True
        self.opened()

    def opened(self) -> None:
        """Hook for subclasses: Textual calls every class's own `on_mount`, the subclass's first."""
        self.draw()

    def draw(self) -> None:
        """Show the model as it is now. While the application ends, its widgets go before its screens."""
        if self._composed and self.app.is_running and not self.too_small:
            self.fill()

    def fill(self) -> None:
        """Fill the screen's widgets."""

    def concerns(self) -> HostView | None:
        """The host that a dangerous action here would act on."""
        return None

    def refused(self, action_id: str) -> str:
        """Why an action is not available now, or nothing."""
        action = action_of(self.NAME, action_id)
        if action is None:
            return ""
        if action.playing and not self.deck.play:
            return "no recording is played"
        view = self.deck.model.ablest() if action.fleet_wide else self.concerns()
        return refusal(action, readonly=self.deck.why_readonly, view=view)

    def actions(self) -> Iterator[Action]:
        """Those of this screen in the registry that there are now, available or not.

        The keys of a recording are nothing else while it is played.
        """
        known = list(actions_of(self.NAME))
        if not self.deck.play:
            return iter([action for action in known if not action.playing])
        taken = {key for action in known if action.playing for key in action.keys}
        return iter([action for action in known if action.playing or not taken.issuperset(action.keys)])

    def rewound(self) -> None:
        """Hook: a recording was wound; what was read of another time is to be forgotten."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual asks here before every action, whatever called it."""
        del parameters
        return not self.refused(action) and not (self.too_small and action != "quit")

    def on_key(self, event: events.Key) -> None:
        """Say why a key does nothing, instead of doing nothing."""
        action = next((one for one in self.actions() if event.key in one.keys), None)
        why = self.refused(action.id) if action else ""
        if action and why:
            event.stop()
            self.deck.say(f"{action.shown} is not available: {why}", "warn")

    def on_resize(self, event: events.Resize) -> None:
        """Lay the lines out anew."""
        self.told_size = event.size
        self.draw()

    def on_screen_resume(self) -> None:
        """What came while another screen was on top."""
        self.draw()

    def keys_line(self, width: int) -> Line:
        """The footer: the keys of this screen, or the notice of the moment."""
        notice = self.deck.model.notice
        if notice:
            return line(" ", span(fit(notice.text, width - 2), notice.tone))
        tabs = self._tabs(width)
        parts: list[Span] = []
        for action in self.actions():
            if action.footer and not self.refused(action.id):
                more = [Span(f"  {action.shown}" if parts else f" {action.shown}", "key"), Span(f" {action.title}")]
                if width_of((*parts, *more, *tabs)) < width:  # a key that is cut says nothing; `?` has them all
                    parts += more
        return ends(tuple(parts), tabs, width)

    def _tabs(self, width: int) -> Line:
        """Where the number keys lead; on a narrow screen only that they do."""
        panes = [action for action in actions_of(self.NAME) if action.id in PANES]
        if not panes:
            return ()
        if width < WIDE:
            return (Span("1-6", "key"), Span(" panes "))
        return tuple(
            part
            for pane in panes
            for part in (
                Span(f"{pane.keys[0]} ", "key"),
                Span(f"{pane.title}  ", "strong" if pane.id == self.NAME else ""),
            )
        )
