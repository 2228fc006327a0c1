"""What tones look like: blue and orange, never red against green."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.theme import Theme

from quantdeck_console.terminal import Display

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

CONTRAST_THEME = Theme(
    name="quantdeck-high-contrast",
    primary="#87d7ff",
    secondary="#87d7ff",
    accent="#ffd787",
    warning="#ffd787",
    error="#ffaf00",
    success="#87d7ff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    variables={
        "block-cursor-background": "#5f5f00",
        "block-cursor-foreground": "#ffffff",
        "input-selection-background": "#005faf",
        "border": "#ffffff",
        "border-blurred": "#ffffff",
    },
)

ANSI_THEME = Theme(
    name="quantdeck-16",
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_yellow",
    warning="ansi_yellow",
    error="ansi_yellow",
    success="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    ansi=True,
    variables={
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-cursor-text-style": "none",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_cyan",
        "screen-selection-foreground": "ansi_black",
    },
)
"""The user's own foreground and background, whatever they are."""

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
"""The terminal's own 16 colours: few bytes, and the user's palette. Also what is left of it without any colour."""

CONTRAST: Mapping[str, Style] = {
    "": Style(),
    "dim": Style(),
    "head": Style(underline=True),
    "strong": Style(bold=True),
    "title": Style(color="#87d7ff", bold=True),
    "ok": Style(color="#87d7ff"),
    "warn": Style(color="#ffd787", bold=True),
    "fail": Style(color="#000000", bgcolor="#ffaf00", bold=True),
    "stale": Style(italic=True, underline=True),
    "key": Style(color="#ffd787", bold=True),
    "cursor": Style(bgcolor="#303030"),
}
"""White on black, at least 7 to 1 everywhere (WCAG 2.2, 1.4.6); nothing is told by being dim."""

ANSI_CONTRAST: Mapping[str, Style] = {
    "": Style(),
    "dim": Style(),
    "head": Style(underline=True),
    "strong": Style(bold=True),
    "title": Style(bold=True),
    "ok": Style(),
    "warn": Style(bold=True),
    "fail": Style(bold=True, reverse=True),
    "stale": Style(italic=True, underline=True),
    "key": Style(bold=True, underline=True),
    "cursor": Style(bold=True),
}
"""What the user has chosen as foreground and background has the most contrast that their palette has."""

THEMES = (DECK_THEME, CONTRAST_THEME, ANSI_THEME)


def theme_of(display: Display) -> Theme:
    """Textual's part of the looks."""
    if display.ansi:
        return ANSI_THEME
    return CONTRAST_THEME if display.high_contrast else DECK_THEME


def tones_of(display: Display) -> Mapping[str, Style]:
    """What each tone looks like."""
    if display.high_contrast:
        return ANSI_CONTRAST if display.ansi else CONTRAST
    return ANSI if display.ansi else TRUECOLOR
