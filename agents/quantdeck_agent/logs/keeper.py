"""Keeps the log files of a host bounded while their writers go on: they hold them open, and outlive the agent."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from quantdeck_agent.logs.files import LogFiles, copies
from quantdeck_agent.logs.rotation import Found, Limits, outdated, step_for
from quantdeck_agent.logs.shorten import collapse, copy_range, move_rest, whole_blocks

log = logging.getLogger("quantdeck.agent")


def free_bytes(folder: Path) -> int:
    """Free bytes of a folder's disk."""
    return shutil.disk_usage(folder).free


class LogKeeper:
    """Rotates what has grown and removes what is old.

    Args:
        live: sources that are in use now, whatever their age.
        free: free bytes of a folder's disk.
    """

    def __init__(
        self,
        files: LogFiles,
        live: Callable[[], Collection[str]],
        limits: Limits | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._files, self._live, self._free = files, live, free
        self._limits = limits or Limits()

    def tick(self, now: float) -> None:
        """Look at every file once. It blocks for the copies, so it belongs into a thread.

        Args:
            now: UNIX time, seconds.
        """
        for file in self._files.all().values():
            try:
                self._look_at(file)
            except OSError as error:
                log.warning("cannot rotate %s: %s", file.name, error.strerror)
        self.gc(now)

    def _look_at(self, file: Path) -> None:
        step = step_for(file.stat().st_size, self._free(self._files.folder), self._limits)
        if step == "rotate":
            try:
                self._rotate(file)
            except OSError as error:
                log.warning("no copy of %s: %s", file.name, error.strerror)
                step = "cut"
        if step == "cut":
            log.warning("no room on the disk: only the end of %s is kept", file.name)
            self._cut(file)

    def _rotate(self, file: Path) -> None:
        """`.1` becomes `.2` and so on, and the file's content `.1`.

        Raises:
            OSError: no copy could be made; the file is as it was.
        """
        fresh = file.with_name(f"{file.name}.new")
        fresh.unlink(missing_ok=True)
        fd = os.open(file, os.O_RDWR)
        try:
            size = whole_blocks(fd)
            copy_range(fd, fresh, 0, size)
            with self._files.lock:
                if not collapse(fd, size):
                    size = move_rest(fd, fresh, size)
                self._files.take(file, size)
                self._move_up(file, fresh)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    def _move_up(self, file: Path, fresh: Path) -> None:
        for one in reversed(copies(file)):
            number = int(one.suffix[1:])
            if number >= self._limits.kept:
                one.unlink()
            else:
                one.replace(file.with_name(f"{file.name}.{number + 1}"))
        if self._limits.kept:
            fresh.replace(file.with_name(f"{file.name}.1"))
        else:
            fresh.unlink()

    def _cut(self, file: Path) -> None:
        """Keep the end alone, without a copy."""
        fd = os.open(file, os.O_RDWR)
        try:
            with self._files.lock:
                size = os.fstat(fd).st_size
                block = os.fstatvfs(fd).f_bsize
                gone = max(0, size - self._limits.tail_bytes) // block * block
                if not (gone and collapse(fd, gone)):
                    tail = os.pread(fd, self._limits.tail_bytes, max(0, size - self._limits.tail_bytes))
                    os.ftruncate(fd, 0)
                    gone = size - len(tail)
                    with file.open("ab", buffering=0) as out:
                        out.write(tail)
                self._files.take(file, gone)
        finally:
            os.close(fd)

    def gc(self, now: float) -> None:
        """Remove logs of engines that are gone, by number and age."""
        files = self._files.all()
        found = []
        for source, file in files.items():
            try:
                found.append(Found(source=source, written_at=file.stat().st_mtime))
            except OSError:  # gone meanwhile
                continue
        for source in outdated(found, self._live(), now, self._limits):
            for one in (files[source], *copies(files[source])):
                one.unlink(missing_ok=True)
