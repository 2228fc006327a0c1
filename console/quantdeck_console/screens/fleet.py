"""Pane 1: a row per host, worst first, and what is known of the selected one."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult

from quantdeck_console.actions.registry import action_of
from quantdeck_console.model.fleet_view import FleetColumns, fleet_head, fleet_line, headline_lines
from quantdeck_console.model.host_view import host_lines, recent_lines
from quantdeck_console.model.next_steps import next_steps
from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Line, Span, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.pane import Pane
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Filter
from quantdeck_console.widgets.table import Table
from quantdeck_core.fleet.headline import Headline
from quantdeck_core.fleet.health import WORDS
from quantdeck_core.fleet.rows import FleetRow
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus

_FRAME = 7
"""Rows that are neither hosts nor details: header, headline (3), table head, a blank, footer."""
_TALL = 30
_MIN_DETAILS, _TALL_DETAILS = 9, 12
"""Rows for the selected host: always on a tall screen, and on a low one while the hosts leave as much."""


class FleetScreen(Pane):
    """The first screen."""

    NAME = "fleet"
    BINDINGS = bindings_of("fleet")
    DEFAULT_CSS = """
    FleetScreen #headline { height: 3; width: 100%; }
    FleetScreen #hosts { width: 100%; }
    FleetScreen #details { height: 1fr; width: 100%; margin-top: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._pattern = ""
        # The cursor stays with a host once it was moved; until then it is on the worst one.
        self._chosen = ""

    def compose_content(self) -> ComposeResult:
        """Headline, hosts, details, and the filter's prompt."""
        yield Lines(id="headline")
        yield Table[FleetRow](id="hosts", cursor=self.deck.glyphs.cursor)
        yield Lines(id="details")
        yield Filter(self._filtered)

    def fill(self) -> None:
        """Show the fleet as it is now."""
        deck, model = self.deck, self.deck.model
        width, height, now = self.size.width, self.size.height, self.deck.model.clock()
        every = model.rows()
        rows = model.rows(self._pattern) if self._pattern else every
        headline = model.headline
        columns = FleetColumns.for_width(width - 1)
        cursor = next((index for index, row in enumerate(rows) if row.name == self._chosen), 0)
        room = height - _FRAME
        kept = _TALL_DETAILS if height >= _TALL else _MIN_DETAILS if len(rows) <= room - _MIN_DETAILS else 0
        shown = min(len(rows), room - kept)
        hosts = self.query_one("#hosts", Table)
        if hosts.styles.height is None or hosts.styles.height.value != shown + 1:
            hosts.styles.height = shown + 1
        hosts.fill(fleet_head(columns), rows, partial(fleet_line, columns=columns, glyphs=deck.glyphs), cursor)
        self._draw_top(headline, every, now, width)
        view = self.concerns()
        details: list[Line] = []
        if kept and view and view.link.state != "connecting":
            details = host_lines(view, now, width, said=view.name in headline.hosts)
            details += recent_lines(view, width, height - _FRAME - shown - len(details))
        if not rows:
            details = [line(span(f" no host matches {self._pattern!r}; Esc shows all", "dim"))]
        box = self.query_one("#details", Lines)
        box.display = bool(kept)
        box.show(details[: height - _FRAME - shown])

    def _draw_top(self, headline: Headline, every: list[FleetRow], now: float, width: int) -> None:
        deck = self.deck
        if headline.level == "connecting" and all(row.level == "connecting" for row in every):
            top = [line(span(f" {WORDS['connecting']} {deck.connecting_text}", "strong"))]
        else:
            top = headline_lines(headline, self._steps(headline), width, deck.runs.banner)
        tag = f"filter: {self._pattern}" if self._pattern else ""
        self.query_one("#header", Lines).show([self.header(every, tag=tag)])
        self.query_one("#headline", Lines).show(top)
        self.query_one("#footer", Lines).show([self.keys_line(width)])

    def _steps(self, headline: Headline) -> Line:
        """The keys that lead on, of those that there are now."""
        row = self.selected
        parts: list[Span] = []
        for name, verb in next_steps(headline, row.name if row else "", self.deck.model.standing.pages):
            action = action_of(self.NAME, name)
            if action and not self.refused(name):
                parts += [Span(f"{'   ' if parts else ''}{action.shown.split()[-1]}", "key"), Span(f" {verb}")]
        return tuple(parts)

    @property
    def selected(self) -> FleetRow | None:
        """The row under the cursor."""
        return self.query_one("#hosts", Table).selected

    @property
    def subject(self) -> Subject:
        """The selected host and its worst experiment."""
        row = self.selected if self._composed else None
        return self.deck.model.subject_of(row) if row else Subject()

    def to_roll_back(self) -> tuple[HostView, ExperimentStatus] | None:
        """The cursor's; where the fleet has one experiment there is no doubt, wherever the cursor is."""
        return self.target() or self.deck.model.only_experiment()

    def choose(self, subject: Subject) -> None:
        """Put the cursor on a host."""
        self._chosen = subject.host or self._chosen
        self.draw()

    def sentence(self) -> str:
        """The selected host's."""
        row = self.selected
        return f"{row.name} {WORDS[row.level]}: {row.experiment and f'{row.experiment}: '}{row.why}" if row else ""

    def action_open(self) -> None:
        """The experiment of the selected host, or the host where it has none."""
        if self.subject.host:
            self.deck.show_pane("experiment" if self.target() else "host", self.subject)

    def action_logs(self) -> None:
        """Follow the logs of the selected host."""
        from quantdeck_console.screens.logs import LogsScreen

        if self.subject.host:
            self.app.push_screen(LogsScreen(self.subject))

    def action_filter(self) -> None:
        """Ask for words."""
        self.query_one(Filter).open(self._pattern)

    def action_back(self) -> None:
        """Show all hosts again."""
        self._pattern = ""
        self.query_one(Filter).close()
        self.draw()

    def _filtered(self, pattern: str) -> None:
        self._pattern = pattern
        self.draw()

    def _move(self, cursor: int) -> None:
        hosts = self.query_one("#hosts", Table)
        hosts.move(cursor)
        self._chosen = hosts.selected.name if hosts.selected else ""
        self.draw()

    def action_down(self) -> None:
        """One host down."""
        self._move(self.query_one("#hosts", Table).cursor + 1)

    def action_up(self) -> None:
        """One host up."""
        self._move(self.query_one("#hosts", Table).cursor - 1)

    def action_top(self) -> None:
        """The worst host."""
        self._move(0)

    def action_bottom(self) -> None:
        """The last host."""
        self._move(len(self.query_one("#hosts", Table).rows) - 1)
