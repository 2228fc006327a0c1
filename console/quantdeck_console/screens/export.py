"""The export dialog: where the incident goes, and whether users' words go with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from quantdeck_console.actions.action import refusal
from quantdeck_console.actions.export import ExportRun
from quantdeck_console.actions.registry import action_of
from quantdeck_console.incident_file import default_name, require_new
from quantdeck_console.model.asked import error_lines
from quantdeck_console.model.text import EMPTY, Line, Span, Tone, line, span, wrapped
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.dialog import WIDTH, Dialog
from quantdeck_console.widgets.lines import Lines
from quantdeck_console.widgets.prompt import Prompt
from quantdeck_console.widgets.work import begin
from quantdeck_core.durations import spoken
from quantdeck_core.errors import ErrorInfo, InputError
from quantdeck_core.fleet.cells import plural, size
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.incident import IncidentReport
from quantdeck_core.text import clean


class ExportDialog(Dialog):
    """Asks for a file's name; Enter writes.

    Args:
        reports: what each host told, which is what is written.
        words: with what users wrote: both arms answer the flagged prompts again for that.
    """

    NAME = "export"
    BINDINGS = bindings_of("export")

    def __init__(self, experiment: str, reports: Mapping[str, IncidentReport], *, words: bool) -> None:
        super().__init__()
        self._experiment = experiment
        self._reports = dict(reports)
        self._words = words
        self._error: ErrorInfo | None = None
        self._export: ExportRun | None = None

    def title_text(self) -> str:
        """What is written."""
        return f"export the incident of {self._experiment}{' with what users wrote' if self._words else ''}"

    def compose_content(self) -> ComposeResult:
        """What it will hold, its name, the answer."""
        yield Lines(id="does")
        yield Prompt(id="file", label="file", value=default_name(self._experiment, self.deck.model.clock()))
        yield Lines(id="answer")

    def opened(self) -> None:
        """Type at once."""
        super().opened()
        self.query_one("#file", Prompt).field.focus()

    def concerns(self) -> HostView | None:
        """The first host that would be asked for users' words."""
        return self.deck.model.fleet.hosts.get(next(iter(self._reports)))

    def refused(self, action_id: str) -> str:
        """Users' words are for who may have both arms asked again."""
        needed = action_of("incident", "export_words")
        if action_id == "write" and self._words and needed:
            return refusal(needed, readonly=self.deck.why_readonly, view=self.concerns())
        return super().refused(action_id)

    def fill(self) -> None:
        """What will be written, and what became of it."""
        self.query_one("#does", Lines).show(self._does())
        self.query_one("#answer", Lines).show(self._answer())

    @on(Input.Changed)
    def _typed(self) -> None:
        self._error = None
        self.draw()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_write()

    def action_write(self) -> None:
        """Write it once; close what is written."""
        if not self.accepts() or self.refused("write"):
            return
        if self._export and self._export.length is not None:
            self.dismiss(None)
        elif self._export is None or self._export.error:
            self._begin()

    def _begin(self) -> None:
        typed = clean(self.query_one("#file", Prompt).value, one_line=True).strip()
        deck = self.deck
        try:
            if not typed:
                raise InputError("The file has no name.", "Type one.")
            file = Path(typed).expanduser().absolute()
            require_new(file)
        except InputError as error:
            self._error = error.info()
        except RuntimeError as error:  # no such user's home
            self._error = InputError(f"{error}", "Type the whole path.").info()
        else:
            self._export = ExportRun(
                deck.link, self._reports, file, words=self._words, by=deck.by, clock=deck.model.clock, ended=deck.say
            )
            begin(deck, self._export.run, group="export")
        self.draw()

    def _does(self) -> list[Line]:
        hosts = ", ".join(self._reports)
        lines = [EMPTY, *wrapped(f"What {hosts} told: findings, timeline, starts, trends of twelve hours.", WIDTH)]
        if self._words:
            held = sum(report.flagged for report in self._reports.values())
            lines += wrapped(
                f"With what users wrote: {plural(held, 'flagged prompt')}, for which both arms answer again now. The "
                "timeline keeps that you exported them.", WIDTH, "warn",
            )  # fmt: skip
        else:
            lines += wrapped("Without what users wrote.", WIDTH)
        return [*lines, *wrapped("Only you can read the file; none is overwritten.", WIDTH, "dim"), EMPTY]

    def _answer(self) -> list[Line]:
        export = self._export
        error = self._error or (export.error if export else None)
        if export and error is None and export.length is None:
            waited = spoken(self.deck.model.clock() - export.since)
            return [
                EMPTY,
                line(" under way for ", span(waited, "strong")),
                EMPTY,
                line(Span(" Esc", "key"), " hides it"),
            ]
        if export and export.length is not None:
            written = wrapped(f"written: {export.file}, {size(export.length)}", WIDTH, "ok")
            return [EMPTY, *written, EMPTY, line(Span(" Enter Esc", "key"), " close")]
        key: Tone = "key" if self.armed_at is not None else "dim"
        lines = [EMPTY, *error_lines(error, WIDTH)] if error else []
        return [*lines, EMPTY, line(Span(" Enter", key), " write", Span("   Esc", "key"), " cancel")]
