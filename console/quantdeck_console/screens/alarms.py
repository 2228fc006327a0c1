"""The pages of the whole fleet: what goes on, who has it, and the keys to take it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.app import ComposeResult

from quantdeck_console.app import DeckApp
from quantdeck_console.model.alarms import Alarms, PageRow, alarms_of, host_now, of_nobody
from quantdeck_console.model.alarms_view import PageColumns, page_head, page_line, page_lines, summary_lines
from quantdeck_console.model.subject import Subject
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.form import Form, FormDialog
from quantdeck_console.screens.looks import Looks
from quantdeck_console.screens.page_forms import Took, hand_over_form, snooze_form, take_all_form, take_form
from quantdeck_console.screens.pane import Pane
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.table import Table
from quantdeck_console.widgets.work import begin
from quantdeck_core.alerts.words import standing
from quantdeck_core.fleet.health import WORDS

_DETAILS = 9
"""Rows that are kept for the selected page."""

PageForm = Callable[[DeckApp, PageRow, float, Took], Form]


class AlarmsScreen(Pane):
    """A row a page, the worst first; below it all of the selected one."""

    NAME = "alarms"
    BINDINGS = bindings_of("alarms")
    DEFAULT_CSS = """
    AlarmsScreen #summary { height: auto; width: 100%; margin-bottom: 1; }
    AlarmsScreen #pages { width: 100%; }
    AlarmsScreen #page { height: 1fr; width: 100%; margin-top: 1; }
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._from = subject
        self._looks = Looks(self)
        # The cursor stays with a page once it was moved; until then it is on the worst one.
        self._chosen: tuple[str, int] | None = None

    def compose_content(self) -> ComposeResult:
        """What is to be said of all, the list, the selected one."""
        yield Lines(id="summary")
        yield Table[PageRow](id="pages", cursor=self.deck.glyphs.cursor)
        yield Lines(id="page")

    def opened(self) -> None:
        """Ask, as long as this is open."""
        super().opened()
        begin(self, self._looks.keep, group="looking")

    def rewound(self) -> None:
        """Ask all hosts again."""
        self._looks.by_host.clear()

    def alarms(self) -> Alarms:
        """All pages, now."""
        model = self.deck.model
        return alarms_of(model.fleet, self._looks.by_host, model.clock())

    def fill(self) -> None:
        """Show the pages as they are now."""
        width, alarms = self.size.width, self.alarms()
        self.query_one("#header", Lines).show([self.header([], place="alarms of the fleet")])
        summary = summary_lines(alarms, width)
        self.query_one("#summary", Lines).show(summary)
        columns = PageColumns.for_width(width - 1)
        pages = self.query_one("#pages", Table)
        pages.display = bool(alarms.rows)
        pages.styles.height = 1 + min(len(alarms.rows), max(1, self.size.height - len(summary) - 5 - _DETAILS))
        cursor = next((index for index, row in enumerate(alarms.rows) if row.key == self._chosen), 0)
        pages.fill(page_head(columns), alarms.rows, partial(page_line, columns=columns), cursor)
        row = self.selected
        self.query_one("#page", Lines).show(page_lines(row, self._now(row), width) if row else [])
        self.query_one("#footer", Lines).show([self.keys_line(width)])

    @property
    def selected(self) -> PageRow | None:
        """The page under the cursor."""
        return self.query_one("#pages", Table).selected if self._composed else None

    @property
    def subject(self) -> Subject:
        """What the selected page is about."""
        row = self.selected
        return Subject(row.host, row.page.experiment) if row else self._from

    def sentence(self) -> str:
        """The selected page's."""
        row = self.selected
        if row is None:
            return ""
        where = f"{row.host} {row.page.experiment}".rstrip()
        return f"{where} {WORDS[row.page.level]}: {row.page.text}, {standing(row.page, self._now(row))}"

    def refused(self, action_id: str) -> str:
        """Only what somebody can take is taken."""
        if action_id in ("open", "take", "snooze", "hand_over") and self.selected is None:
            return "there is no page"
        if action_id == "take_all" and not of_nobody(self.alarms().rows):
            return "there is no page that nobody has"
        return super().refused(action_id)

    def action_open(self) -> None:
        """The experiment that the page is about, or its host."""
        subject = self.subject
        known = self.deck.model.experiment(*subject) is not None
        self.deck.show_pane("experiment" if known else "host", subject)

    def action_take(self) -> None:
        """Acknowledge it."""
        self._ask(take_form)

    def action_snooze(self) -> None:
        """Ask for how long it is to be quiet."""
        self._ask(snooze_form)

    def action_hand_over(self) -> None:
        """Ask who is to take it."""
        self._ask(hand_over_form)

    def action_take_all(self) -> None:
        """Acknowledge whatever nobody has."""
        if pages := of_nobody(self.alarms().rows):
            self.app.push_screen(FormDialog(take_all_form(self.deck, pages, self._looks.took)))

    def action_down(self) -> None:
        """One page down."""
        self._move(self.query_one("#pages", Table).cursor + 1)

    def action_up(self) -> None:
        """One page up."""
        self._move(self.query_one("#pages", Table).cursor - 1)

    def action_top(self) -> None:
        """The worst page."""
        self._move(0)

    def action_bottom(self) -> None:
        """The last page."""
        self._move(len(self.query_one("#pages", Table).rows) - 1)

    def _move(self, cursor: int) -> None:
        self.query_one("#pages", Table).move(cursor)
        row = self.selected
        self._chosen = row.key if row else None
        self.draw()

    def _now(self, row: PageRow) -> float:
        return host_now(self._looks.by_host[row.host], self.deck.model.clock())

    def _ask(self, form: PageForm) -> None:
        if row := self.selected:
            self._chosen = row.key
            self.app.push_screen(FormDialog(form(self.deck, row, self._now(row), self._looks.took)))
