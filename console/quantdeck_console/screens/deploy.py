"""Pane 3: start an engine from a profile."""

from __future__ import annotations

from quantdeck_console.model.text import Line, line, span
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.subject_pane import SubjectPane


class DeployScreen(SubjectPane):
    """Profiles and hosts."""

    NAME = "deploy"
    BINDINGS = bindings_of("deploy")

    def body(self, width: int, height: int) -> list[Line]:
        """What is known."""
        return [line(span(f" {self.place()}", "dim"))]
