"""Pane 2: one host."""

from __future__ import annotations

from quantdeck_console.model.host_view import host_lines, recent_lines
from quantdeck_console.model.text import Line
from quantdeck_console.screens.base import bindings_of
from quantdeck_console.screens.subject_pane import SubjectPane


class HostScreen(SubjectPane):
    """The machine, its GPUs and its engines."""

    NAME = "host"
    BINDINGS = bindings_of("host")

    def body(self, width: int, height: int) -> list[Line]:
        """The host as it is now."""
        view, now = self.concerns(), self.deck.model.clock()
        return [*host_lines(view, now, width), *recent_lines(view, width, height)] if view else []
