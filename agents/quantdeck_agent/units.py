"""`quantdeck agent units`: the files that make systemd run the agent."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path

from quantdeck_core.errors import InputError

UNIT = "quantdeck-agent.service"
_PLACE = "@QUANTDECK@"


def unit(*, user: bool) -> str:
    """The unit's text, with the path of this installation."""
    name = "quantdeck-agent.user.service" if user else UNIT
    text = files("quantdeck_agent").joinpath("systemd", name).read_text("utf-8")
    return text.replace(_PLACE, " ".join(map(_quoted, _command())))


def write_unit(folder: Path, *, user: bool) -> str:
    """Write it into a folder; returns what to do next.

    Raises:
        InputError: the folder is not there, or may not be written.
    """
    file = folder / UNIT
    temporary = folder / f".{UNIT}.new"
    try:
        temporary.write_text(unit(user=user), "utf-8")
        temporary.chmod(0o644)
        temporary.replace(file)
    except OSError as error:
        raise InputError(
            f"Cannot write {file}: {error.strerror}.",
            "systemd looks into ~/.config/systemd/user (make it first)." if user else "As root: /etc/systemd/system.",
        ) from None
    control = "systemctl --user" if user else "systemctl"
    return f"{file}\nnext: {control} daemon-reload && {control} enable --now quantdeck-agent"


def _command() -> list[str]:
    """This installation's program, as systemd wants it: an absolute path."""
    script = Path(sys.executable).absolute().with_name("quantdeck")
    if os.access(script, os.X_OK):
        return [str(script)]
    return [str(Path(sys.executable).absolute()), "-m", "quantdeck"]


def _quoted(word: str) -> str:
    """A word of ExecStart: `%` and `$` mean something to systemd, and spaces separate."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(character in word for character in " \t\"'\\;") else escaped
