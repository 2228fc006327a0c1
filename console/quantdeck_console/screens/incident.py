"""Pane 5: what happened to an experiment."""

from __future__ import annotations

from quantdeck_console.model.text import Line, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.subject_pane import SubjectPane


class IncidentScreen(SubjectPane):
    """The timeline."""

    NAME = "incident"
    BINDINGS = bindings_of("incident")

    def body(self, width: int, height: int) -> list[Line]:
        """What is known."""
        return [line(span(f" {self.place()}", "dim"))]
