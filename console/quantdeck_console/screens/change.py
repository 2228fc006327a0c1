"""A dialog that asks an agent for one change and shows its answer; an error keeps everything that was typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual import on
from textual.widgets import Input

from quantdeck_console.model.asked import error_lines
from quantdeck_console.model.text import EMPTY, Line, Span, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH, Dialog
from quantdeck_core.errors import ErrorInfo, QuantdeckError
from quantdeck_core.fleet.cells import duration
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.requests import Applied


class ChangeDialog(Dialog):
    """One request at a time: pressing a key twice sends it once."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self.host = host
        self.busy = False
        self.error: ErrorInfo | None = None
        self.applied: Applied | None = None

    @on(Input.Changed)
    def _typed(self) -> None:
        self.error = None
        self.draw()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.submit()

    def submit(self) -> None:
        """Send what was typed, once the dialog was seen; close it after it was applied."""
        if not self.accepts():
            return
        if self.applied:
            self.dismiss(None)
        else:
            self.ask()

    def ask(self) -> None:
        """Check what was typed, and send it or say what is wrong with it."""

    def was_refused(self) -> None:
        """Hook: whatever was refused because of what somebody else did, show that: the next try is based on it."""

    def concerns(self) -> HostView | None:
        """The host that would be changed."""
        return self.deck.model.fleet.hosts.get(self.host)

    def send(self, ask: Callable[[], Awaitable[Applied]]) -> None:
        """Ask in the background, unless that is under way."""
        if not self.busy:
            self.busy, self.error = True, None
            self.run_worker(self._send(ask), group="change")
            self.draw()

    async def _send(self, ask: Callable[[], Awaitable[Applied]]) -> None:
        try:
            self.applied = await ask()
        except QuantdeckError as error:
            self.error = error.info()
            self.was_refused()
        finally:
            self.busy = False
        self.deck.redraw()

    def fail(self, error: QuantdeckError) -> None:
        """Show an error of the input itself."""
        self.error = error.info()
        self.draw()

    def answer_lines(self, verb: str, key: str = "Enter") -> list[Line]:
        """Sending, applied, or why not, and the keys that make sense now."""
        if self.busy:
            return [EMPTY, line(" ", span("sent, waiting for the agent ...", "strong")), EMPTY]
        if self.applied:
            return [EMPTY, *_done(self.applied), EMPTY, line(Span(" Enter Esc", "key"), " close")]
        keys = line(Span(f" {key}", "key" if self.armed_at else "dim"), f" {verb}", Span("   Esc", "key"), " cancel")
        return [EMPTY, *(error_lines(self.error, WIDTH) if self.error else ()), *([EMPTY] if self.error else ()), keys]


def _done(applied: Applied) -> list[Line]:
    if applied.pending:
        return wrapped(f"PENDING: {applied.detail}", WIDTH, "warn", most=3)
    if applied.operation:
        said = applied.detail or f"{applied.operation} has begun"
        return wrapped(f"{said}; the host's pane follows {applied.operation}", WIDTH, "strong", most=3)
    took = f", effective in {duration(applied.effective_ms)}" if applied.effective_ms is not None else ""
    said = f": {applied.detail}" if applied.detail else ""
    return wrapped(f"applied{took}{said}", WIDTH, "ok", most=3)
