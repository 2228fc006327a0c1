"""The demo's folder: one demo at a time for each user, and nothing of an old one left over."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil

from quantdeck_core.errors import ConflictError, ExitCode

MARKER = "QUANTDECK_PROCESS"
"""Agents mark what they start with this environment variable; its value begins with their state folder."""


class DemoRunningError(ConflictError):
    """Another demo of this user runs."""

    code = "demo-running"
    title = "A demo runs already"
    exit_code = ExitCode.USAGE


class Place:
    """A private, short folder (Unix sockets allow about 100 bytes of path), held by a lock while the demo runs."""

    def __init__(self) -> None:
        """Take the folder and clear it of what a demo that was killed has left.

        Raises:
            DemoRunningError: another demo holds it.
        """
        self.root = Path(tempfile.gettempdir()) / f"quantdeck-demo-{os.getuid()}"
        self.root.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._lock, 20).decode() or "?"
            os.close(self._lock)
            raise DemoRunningError(
                f"A demo runs already (process {pid}).", "Quit that one first: `q` in its console, or Ctrl-C."
            ) from None
        os.truncate(self._lock, 0)
        os.write(self._lock, str(os.getpid()).encode())
        self._end_leftovers()
        self._clear()

    @property
    def fleet_file(self) -> Path:
        """The fleet file of the running demo, for `quantdeck ... --fleet`."""
        return self.root / "fleet.toml"

    def host(self, name: str) -> Path:
        """The folder of one host."""
        return self.root / name

    def leave(self) -> None:
        """Remove everything and let the next demo in."""
        self._clear()
        os.close(self._lock)

    def _clear(self) -> None:
        for entry in self.root.iterdir():
            if entry.name != "lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _end_leftovers(self) -> None:
        """End engines and gateways of a demo whose agents were killed too: only those that carry this folder's mark."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARKER, "").startswith(f"{self.root.resolve()}/"):
                    process.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue


def cache_folder() -> Path:
    """Where the models that were made stay for the next time."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quantdeck" / "demo-models"
