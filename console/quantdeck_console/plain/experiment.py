"""An experiment as plain text, both arms side by side."""

from __future__ import annotations

from quantdeck_console.model.experiment_view import experiment_lines as toned_lines
from quantdeck_console.model.glyphs import ASCII
from quantdeck_console.model.text import plain, span
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus

_ALL = 1000
"""More rows than an experiment has: plain text scrolls by itself."""


def experiment_lines(host: str, experiment: ExperimentStatus, width: int = 80) -> list[str]:
    """As the experiment pane shows it, as just heard from a host."""
    view = HostView(name=host, link=LinkChange(state="connected"), heard_at=0.0, linked_at=0.0)
    lines = toned_lines(view, experiment, 0.0, width, _ALL, ASCII)
    return [span(f"{experiment.name} on {host}").text, *(plain(one).removeprefix(" ") for one in lines)]
