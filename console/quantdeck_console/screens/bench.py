"""Pane 6: latencies of both arms."""

from __future__ import annotations

from quantdeck_console.model.text import Line, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.subject_pane import SubjectPane


class BenchScreen(SubjectPane):
    """Both arms side by side."""

    NAME = "bench"
    BINDINGS = bindings_of("bench")

    def body(self, width: int, height: int) -> list[Line]:
        """What is known."""
        return [line(span(f" {self.place()}", "dim"))]
