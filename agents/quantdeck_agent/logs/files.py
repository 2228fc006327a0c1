"""The log files of a host: their names, and what was taken from their beginnings while somebody was reading."""

from __future__ import annotations

import math
import re
import threading
from pathlib import Path

from quantdeck_core.errors import NotFoundError

_FILE = re.compile(r"(?:(gateway)|engine-([a-z0-9][a-z0-9._-]{0,62}\.\d{1,18}))\.log")
_SOURCE = re.compile(r"gateway|engine:[a-z0-9][a-z0-9._-]{0,62}\.\d{1,18}")


class LogUnknownError(NotFoundError):
    """A log that this host does not have."""

    code = "log-unknown"
    title = "No such log"


class LogFiles:
    """One folder. Whoever takes from a file's beginning says so here, so that readers stay where they are.

    Attributes:
        lock: held while a file is shortened, and while a reader looks where it is; never for long.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self._taken: dict[Path, int] = {}
        self._floor: dict[Path, int] = {}

    def all(self) -> dict[str, Path]:
        """Source -> its file."""
        found = {}
        for file in sorted(self.folder.glob("*.log")):
            name = _FILE.fullmatch(file.name)
            if name and file.is_file() and not file.is_symlink():
                found[name[1] or f"engine:{name[2]}"] = file
        return found

    def file_of(self, source: str) -> Path:
        """The file of a source.

        Raises:
            LogUnknownError: there is none of that name.
        """
        file = self.folder / f"{source.replace(':', '-')}.log"
        if not _SOURCE.fullmatch(source) or file.is_symlink() or not file.is_file():
            raise LogUnknownError(f"There is no log {source!r} on this host.", "`quantdeck logs --list` shows them.")
        return file

    def taken(self, file: Path) -> int:
        """Bytes taken from its beginning since this agent started. Under `lock`."""
        return self._taken.get(file, 0)

    def floor(self, file: Path) -> float:
        """The position before which bytes were dropped: copies hold nothing that joins on. Under `lock`."""
        return self._floor.get(file, -math.inf)

    def take(self, file: Path, size: int, *, kept: bool) -> None:
        """More were taken, and kept as the newest copy or dropped. Under `lock`."""
        self._taken[file] = self.taken(file) + size
        if not kept:
            self._floor[file] = self._taken[file]


def copies(file: Path) -> list[Path]:
    """What was rotated away from a log, the newest first."""
    found = [one for one in file.parent.glob(f"{file.name}.*") if one.name[len(file.name) + 1 :].isdigit()]
    return sorted(found, key=lambda one: int(one.suffix[1:]))
