"""What the terminal can do, decided before the TUI starts."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from quantdeck_core.errors import InputError

MIN_COLUMNS = 80
MIN_ROWS = 24

_INSTEAD = "or use --headless / quantdeck fleet"


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


@dataclass(frozen=True)
class Display:
    """How to draw.

    Attributes:
        ansi: the terminal's own 16 colours instead of 24-bit ones: half the bytes.
        ascii: no character outside ASCII is drawn by the console itself.
        animations: whether anything may move.
    """

    ansi: bool = False
    ascii: bool = False
    animations: bool = True


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


def display_of(environ: Mapping[str, str]) -> Display:
    """How to draw here: thrifty over SSH and under NO_COLOR, ASCII where the locale is not UTF-8."""
    remote = bool(environ.get("SSH_CONNECTION"))
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return Display(
        ansi=remote or bool(environ.get("NO_COLOR")),
        ascii="utf-8" not in locale.lower() and "utf8" not in locale.lower(),
        animations=not remote,
    )


def prepare(environ: MutableMapping[str, str]) -> None:
    """Set what Textual reads when it is imported: call it before that."""
    if environ.get("SSH_CONNECTION"):
        environ.setdefault("TEXTUAL_ANIMATIONS", "none")
