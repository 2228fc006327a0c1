"""What a pane is about, carried from pane to pane."""

from __future__ import annotations

from typing import NamedTuple


class Subject(NamedTuple):
    """A host and an experiment on it; empty where there is none."""

    host: str = ""
    experiment: str = ""
