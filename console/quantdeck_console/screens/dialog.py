"""Dialogs: a box over the pane that takes no key before it has been seen."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from quantdeck_console.model.text import span
from quantdeck_console.screens.base import DeckScreen, TooSmall
from quantdeck_console.widgets.lines import Lines

GUARD_S = 0.15
"""After the dialog was drawn: shorter than anyone reads, longer than keys that were typed ahead take to arrive."""

WIDTH = 74
ROOM = 11
"""Rows for a list of hosts: what a low screen leaves beside what is said of all of them."""


class Dialog(DeckScreen, ModalScreen[None]):
    """A modal box. Confirming keys count only when they were pressed after it was armed."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog:ansi { background: transparent; }
    Dialog > Vertical {
        width: 76; height: auto; max-height: 22; border: round $border; background: $surface; padding: 0 0;
        border-title-color: $foreground; border-title-style: bold;
    }
    Dialog:ansi > Vertical { background: ansi_default; border: round ansi_cyan; border-title-color: ansi_default; }
    Dialog.-ascii > Vertical { border: ascii $border; }
    Dialog Lines { height: auto; width: 100%; background: transparent; }
    Dialog > TooSmall { height: 100%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.armed_at: float | None = None
        self._seen_at: float | None = None

    def compose(self) -> ComposeResult:
        """A box with the dialog's own widgets."""
        yield TooSmall()
        with Vertical() as box:
            box.border_title = Content(span(self.title_text()).text)
            yield from self.compose_content()

    def compose_content(self) -> ComposeResult:
        """The dialog's own widgets."""
        yield Lines(id="text")

    def title_text(self) -> str:
        """What stands in the border."""
        return ""

    def opened(self) -> None:
        """Arm it once it is on the screen."""
        super().opened()
        self.set_class(self.deck.display_mode.ascii, "-ascii")
        self.call_after_refresh(self._seen)

    def on_resize(self, event: events.Resize) -> None:
        """Keys that were pressed while the size notice covered it count as little as those typed ahead."""
        if self.too_small:
            self.armed_at = self._seen_at = None
        elif self._composed and self._seen_at is None:
            self.call_after_refresh(self._seen)

    def draw(self) -> None:
        """Show it as it is now; it takes keys from the first time on that comes late enough after it was seen."""
        now = self.deck.monotonic()
        if self.armed_at is None and self._seen_at is not None and now >= self._seen_at + GUARD_S:
            self.armed_at = now
        super().draw()

    def _seen(self) -> None:
        if self._seen_at is None and not self.too_small:
            self._seen_at = self.deck.monotonic()
            # A busy machine may lose the timer: then the next of the regular drawings does.
            self.set_timer(GUARD_S, self.draw)

    def accepts(self, pressed_at: float | None = None) -> bool:
        """Whether a confirming key counts: the dialog was seen, and is not covered by the size notice."""
        if self.armed_at is None or self.too_small:
            return False
        return pressed_at is None or pressed_at >= self.armed_at

    def action_cancel(self) -> None:
        """Close; what is under way goes on."""
        self.dismiss(None)
