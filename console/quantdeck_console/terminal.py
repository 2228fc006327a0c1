"""What the terminal can do, and how to draw on it: decided before the TUI starts."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from quantdeck_core.errors import InputError

MIN_COLUMNS = 80
MIN_ROWS = 23
"""A terminal of 24, less the row that tmux keeps for itself."""

Colour = Literal["true", "256", "16", "none"]
COLOURS: tuple[Colour, ...] = get_args(Colour)

_INSTEAD = "or use --headless / quantdeck fleet"
_RICH_NAMES: dict[Colour, str] = {"true": "truecolor", "256": "256", "16": "standard", "none": "standard"}


class NoTerminalError(InputError):
    """There is no terminal to draw on."""

    code = "no-terminal"
    title = "No terminal"


class DumbTerminalError(InputError):
    """The terminal cannot move its cursor."""

    code = "dumb-terminal"
    title = "The terminal is too simple"


class SmallTerminalError(InputError):
    """The terminal has too few cells."""

    code = "small-terminal"
    title = "The terminal is too small"


@dataclass(frozen=True, kw_only=True)
class Display:
    """How to draw.

    Attributes:
        colour: `true` is 24 bits; `16` are the terminal's own, in half the bytes; `none` sends no code of a colour.
        ascii: no character outside ASCII is drawn.
        high_contrast: no greys, nothing dim.
        animations: whether anything may move.
    """

    colour: Colour = "true"
    ascii: bool = False
    high_contrast: bool = False
    animations: bool = True

    @property
    def ansi(self) -> bool:
        """Whether the terminal's own foreground and background are used."""
        return self.colour in ("16", "none")


def check_terminal(environ: Mapping[str, str], size: tuple[int, int], isatty: bool) -> None:
    """Refuse a terminal that the TUI cannot use, saying what to do instead.

    Args:
        size: columns and rows.
        isatty: whether standard input and standard error are terminals: Textual draws on the latter.

    Raises:
        NoTerminalError, DumbTerminalError, SmallTerminalError.
    """
    if not isatty:
        raise NoTerminalError("Input and output are not a terminal.", f"Run it in a terminal, {_INSTEAD}.")
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        what = f"TERM is {term}" if term else "TERM is not set"
        raise DumbTerminalError(
            f"{what}, so escape codes would be printed as text.",
            f"Set TERM to what your terminal is (often xterm-256color), {_INSTEAD}.",
        )
    columns, rows = size
    if columns < MIN_COLUMNS or rows < MIN_ROWS:
        raise SmallTerminalError(
            f"This terminal is {columns}x{rows}.", f"Enlarge it to {MIN_COLUMNS}x{MIN_ROWS}, {_INSTEAD}."
        )


def require_terminal() -> None:
    """`check_terminal` for where this process runs.

    Raises:
        NoTerminalError, DumbTerminalError, SmallTerminalError.
    """
    for name in ("COLUMNS", "LINES"):
        # A shell that exports them says how large its terminal was; who believes it, as Textual does, never resizes.
        os.environ.pop(name, None)
    is_terminal = sys.stdin.isatty() and sys.stderr.isatty()  # Textual draws on the latter
    check_terminal(os.environ, shutil.get_terminal_size(), is_terminal)


def display_of(
    environ: Mapping[str, str], *, colour: str = "", ascii_only: bool = False, high_contrast: bool = False
) -> Display:
    """How to draw here: what was asked for, else what the environment says, else what the terminal is known to do.

    Args:
        colour: one of `COLOURS`; `auto` or nothing leaves it open.

    Raises:
        InputError: QUANTDECK_COLOUR is none of them.
    """
    asked = colour or environ.get("QUANTDECK_COLOUR") or "auto"
    if asked not in (*COLOURS, "auto"):
        raise InputError(f"QUANTDECK_COLOUR is {asked!r}.", f"It may be auto, {', '.join(COLOURS)}.")
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    utf8 = "utf-8" in locale.lower() or "utf8" in locale.lower()
    return Display(
        colour=_known(environ) if asked == "auto" else cast("Colour", asked),
        ascii=ascii_only or bool(environ.get("QUANTDECK_ASCII")) or not utf8,
        high_contrast=high_contrast or bool(environ.get("QUANTDECK_HIGH_CONTRAST")),
        animations=not environ.get("SSH_CONNECTION"),
    )


def _known(environ: Mapping[str, str]) -> Colour:
    if environ.get("NO_COLOR"):
        return "none"
    if environ.get("SSH_CONNECTION"):
        return "16"
    term = environ.get("TERM", "")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or term.endswith("-direct"):
        return "true"
    return "256" if "256color" in term else "16"


def prepare(environ: MutableMapping[str, str], display: Display) -> None:
    """Set what Textual reads when it is imported: call it before that."""
    environ.setdefault("TEXTUAL_COLOR_SYSTEM", _RICH_NAMES[display.colour])
    if environ.get("SSH_CONNECTION"):
        environ.setdefault("TEXTUAL_ANIMATIONS", "none")
