"""A dialog that asks for one change and shows what became of it; an error keeps everything that was typed.

It asks one agent. Where others can be asked for the same, it says so, and all of them are asked where that was chosen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from textual import on
from textual.widgets import Input

from quantdeck_console.actions.host_run import HostRun
from quantdeck_console.actions.registry import action_of
from quantdeck_console.model.asked import error_lines
from quantdeck_console.model.host_progress import host_cells, shortened
from quantdeck_console.model.text import EMPTY, Line, Span, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH, Dialog
from quantdeck_console.screens.under_way import run_lines
from quantdeck_console.widgets.work import begin
from quantdeck_core.errors import ErrorInfo, QuantdeckError
from quantdeck_core.fleet.cells import duration, plural
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.requests import Applied

_ROWS = 4
"""Of the hosts that would be asked; the rest is counted."""


class ChangeDialog(Dialog):
    """One request at a time: pressing a key twice sends it once.

    Attributes:
        others: hosts that can be asked for the same, with the first one where `everywhere` is chosen.
        run_state: the change on all of them, once it was sent.
    """

    def __init__(self, host: str, others: Sequence[str] = (), *, everywhere: bool = False) -> None:
        super().__init__()
        self.host, self.others = host, tuple(others)
        self.everywhere = everywhere
        self._choice = bool(others) and not everywhere
        self.run_state: HostRun | None = None
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
        if self.over:
            self.dismiss(None)
        elif not self.run_state:
            self.ask()

    @property
    def over(self) -> bool:
        """There is nothing left to ask."""
        return self.applied is not None or (self.run_state is not None and self.run_state.finished)

    def action_everywhere(self) -> None:
        """All of them, or only the first one again; as long as nothing was sent."""
        if self._choice and not (self.busy or self.over or self.run_state):
            self.everywhere, self.error = not self.everywhere, None
            self.draw()

    def action_cancel(self) -> None:
        """Close. What is under way on one host goes on; of several, what has not answered is asked no more."""
        if self.run_state and self.run_state.open and not self.run_state.lasting:
            self.deck.runs.stop(self.run_state)
        super().action_cancel()

    def ask(self) -> None:
        """Check what was typed, and send it or say what is wrong with it."""

    def changes(self) -> list[tuple[str, str]]:
        """Each host with what would change there, where all of them are asked."""
        return []

    def was_refused(self) -> None:
        """Hook: whatever was refused because of what somebody else did, show that: the next try is based on it."""

    def concerns(self) -> HostView | None:
        """The host that would be changed."""
        return self.deck.model.fleet.hosts.get(self.host)

    def send(self, ask: Callable[[], Awaitable[Applied]]) -> None:
        """Ask in the background, unless that is under way."""
        if not self.busy:
            self.busy, self.error = True, None
            begin(self, partial(self._send, ask), group="change")
            self.draw()

    def send_everywhere(self, run: HostRun) -> None:
        """Ask all of them."""
        self.run_state, self.error = run, None
        self.deck.runs.start(run)
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

    def answer_lines(self, verb: str, key: str = "Enter", *, noun: str = "gateway", done: str = "") -> list[Line]:
        """Sending, applied, or why not, and the keys that make sense now.

        Args:
            noun: what a host is here.
            done: what holds once it is applied.
        """
        if self.run_state:
            return run_lines(self.run_state, self.deck.model.clock())
        if self.busy:
            return [EMPTY, line(" ", span("sent, waiting for the agent ...", "strong")), EMPTY]
        if self.applied:
            return [EMPTY, *_done(self.applied, done), EMPTY, line(Span(" Enter Esc", "key"), " close")]
        keys = line(Span(f" {key}", "key" if self.armed_at else "dim"), f" {verb}", Span("   Esc", "key"), " cancel")
        error = [EMPTY, *error_lines(self.error, WIDTH)] if self.error else []
        return [*self._where(noun), *error, EMPTY, keys]

    def _where(self, noun: str) -> list[Line]:
        """Which hosts are asked, and how to choose the others."""
        if not self._choice:
            return []
        total = plural(1 + len(self.others), noun)
        toggle = action_of(self.NAME, "everywhere")
        shown = Span(f"   {toggle.shown} " if toggle else "", "key")
        if not self.everywhere:
            start = line(span(" on ", "dim"), span(self.host, "strong"), span(f" only, one of {total}", "dim"))
            return [EMPTY, (*start, shown, span(f"all {total}"))]
        rows = [] if self.error else [[host_cells(host, change)] for host, change in self.changes()]
        return [
            EMPTY,
            (span(f" on all {total}:", "strong"), shown, span(f"only {self.host}")),
            *shortened(rows, len(rows), _ROWS, noun),
        ]


def _done(applied: Applied, done: str) -> list[Line]:
    if applied.pending:
        return wrapped(f"PENDING: {applied.detail}", WIDTH, "warn", most=3)
    if applied.operation:
        said = applied.detail or f"{applied.operation} has begun"
        return wrapped(f"{said}; the host's pane follows it to its end", WIDTH, "strong", most=2)
    took = f", effective in {duration(applied.effective_ms)}" if applied.effective_ms is not None else ""
    said = f": {applied.detail}" if applied.detail else ""
    return wrapped(f"{f'done: {done}' if done else 'applied'}{took}{said}", WIDTH, "ok", most=3)
