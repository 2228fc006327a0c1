"""A pane about one host or one experiment: lines that scroll, under a header that says which."""

from __future__ import annotations

from textual.app import ComposeResult

from quantdeck_console.model.subject import Subject
from quantdeck_console.model.text import Line
from quantdeck_console.screens.pane import Pane
from quantdeck_console.widgets.lines import Lines


class SubjectPane(Pane):
    """Subclasses say what stands in `body`."""

    DEFAULT_CSS = """
    SubjectPane #body { height: 1fr; width: 100%; }
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject

    def compose_content(self) -> ComposeResult:
        """All of it is lines."""
        yield Lines(id="body")

    @property
    def subject(self) -> Subject:
        """What is shown."""
        return self._subject

    def choose(self, subject: Subject) -> None:
        """Show another one."""
        if subject != self._subject:
            self._subject = subject
            if self._composed:
                self.query_one("#body", Lines).scroll_lines(0)
                self.chosen()
        self.draw()

    def chosen(self) -> None:
        """Hook: there is another subject."""

    def place(self) -> str:
        """What the header says."""
        host, experiment = self._subject
        return f"{experiment} on {host}" if experiment else host

    def body(self, width: int, height: int) -> list[Line]:
        """What is shown now, in so many cells; more lines than that scroll."""
        raise NotImplementedError

    def fill(self) -> None:
        """Show the subject as it is now."""
        width = self.size.width
        self.frame(self.place())
        self.fill_body(self.waiting(width), width, self.size.height - 2)

    def fill_body(self, top: list[Line], width: int, height: int) -> None:
        """Everything between header and footer; `top` is what has to stay in sight."""
        self.query_one("#body", Lines).show([*top, *self.body(width, height - len(top))])

    def action_next_subject(self) -> None:
        """The next experiment of the fleet, round and round."""
        known = [Subject(view.name, one.name) for view, one in self.deck.model.experiments()]
        if known:
            self.choose(known[(known.index(self._subject) + 1) % len(known) if self._subject in known else 0])

    def action_down(self) -> None:
        """Scroll, where there is more than fits."""
        self._scroll(1)

    def action_up(self) -> None:
        """Scroll back."""
        self._scroll(-1)

    def action_top(self) -> None:
        """The first line."""
        self._scroll(-10_000)

    def action_bottom(self) -> None:
        """The last line."""
        self._scroll(10_000)

    def _scroll(self, lines: int) -> None:
        body = self.query_one("#body", Lines)
        body.scroll_lines(body.top + lines)
