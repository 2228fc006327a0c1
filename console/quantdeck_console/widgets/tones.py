"""What tones look like: blue and orange, never red against green."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.theme import Theme

DECK_THEME = Theme(
    name="quantdeck",
    primary="#5fafff",
    secondary="#87afd7",
    accent="#ffaf5f",
    warning="#ffaf5f",
    error="#ff8700",
    success="#5fafff",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    variables={
        "block-cursor-background": "#303030",
        "block-cursor-foreground": "#eeeeee",
        "input-selection-background": "#5f87af 50%",
        "border": "#5f87af",
        "border-blurred": "#444444",
    },
)
"""Colours of the 256-colour cube, so that a terminal without more shows the same."""

TRUECOLOR: Mapping[str, Style] = {
    "": Style(),
    "dim": Style(color="#8a8a8a"),
    "head": Style(color="#8a8a8a"),
    "strong": Style(color="#eeeeee", bold=True),
    "title": Style(color="#5fafff", bold=True),
    "ok": Style(color="#5fafff"),
    "warn": Style(color="#ffaf5f", bold=True),
    "fail": Style(color="#121212", bgcolor="#ff8700", bold=True),
    "stale": Style(color="#8a8a8a", italic=True),
    "key": Style(color="#ffaf5f", bold=True),
    "cursor": Style(bgcolor="#303030"),
}

ANSI: Mapping[str, Style] = {
    "": Style(),
    "dim": Style(dim=True),
    "head": Style(dim=True),
    "strong": Style(bold=True),
    "title": Style(color="cyan", bold=True),
    "ok": Style(color="cyan"),
    "warn": Style(color="yellow", bold=True),
    "fail": Style(color="yellow", bold=True, reverse=True),
    "stale": Style(dim=True, italic=True),
    "key": Style(color="yellow", bold=True),
    "cursor": Style(bold=True),
}
"""The terminal's own 16 colours: few bytes, and the user's palette. Also what NO_COLOR is taken from."""
