"""One line of input with a label, without a border."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from quantdeck_console.model.text import Span, line, span
from quantdeck_console.widgets.lines import Lines

if TYPE_CHECKING:
    from quantdeck_console.app import DeckApp


class Prompt(Horizontal):
    """A label and a field; the cursor does not blink, since every blink is bytes."""

    DEFAULT_CSS = """
    Prompt { height: 1; width: 100%; }
    Prompt > Lines { height: 1; }
    Prompt > Input, Prompt > Input:focus { width: 1fr; background: $surface; background-tint: $foreground 0%; }
    Prompt > Input:ansi { background: ansi_default; text-style: underline; }
    Prompt > Input:nocolor > .input--cursor, Prompt > Input:nocolor > .input--selection { text-style: reverse; }
    """

    def __init__(
        self, *, id: str, label: str, value: str = "", width: int = 0, restrict: str | None = None, after: str = ""
    ) -> None:
        super().__init__(id=id)
        self._label = Lines(classes="label")
        self._after = Lines(classes="after")
        self._texts = (line(" ", span(label, "key" if len(label) == 1 else "dim")), line(span(after)))
        self.field = Input(value, compact=True, restrict=restrict, select_on_focus=True)
        self.field.cursor_blink = False
        self._label.styles.width = len(label) + 2
        self._after.styles.width = len(after) + 1
        if width:
            self.field.styles.width = width

    def compose(self) -> ComposeResult:
        """Label, field, what stands behind it."""
        yield self._label
        yield self.field
        yield self._after

    def on_mount(self) -> None:
        """Labels never change; what is hidden must not be reached with Tab."""
        self.field.disabled = not self.display
        self._label.show([self._texts[0]])
        self._after.show([(Span(" "), *self._texts[1])])

    @property
    def value(self) -> str:
        """What was typed."""
        return self.field.value

    def open(self, value: str) -> None:
        """Show it and type into it."""
        self.add_class("-open")
        self.field.disabled = False
        self.field.value = value
        self.screen.set_focus(self.field)
        cast("DeckApp", self.app).text_from_now_on()

    def close(self) -> None:
        """Hide it; keys go to the screen again."""
        self.remove_class("-open")
        self.field.disabled = True


class Filter(Prompt):
    """Words behind a `/` above the footer: they narrow a list while they are typed, Enter keeps them."""

    DEFAULT_CSS = """
    Filter { dock: bottom; offset-y: -1; display: none; }
    Filter.-open { display: block; }
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        super().__init__(id="filter", label="/")
        self._changed = changed

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._changed(event.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.close()
