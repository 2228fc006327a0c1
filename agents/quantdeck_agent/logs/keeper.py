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
        for unfinished in files.folder.glob("*.log.new"):  # an agent was killed while it made a copy
            unfinished.unlink(missing_ok=True)

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
        try:
            self.gc(now)
        except OSError as error:
            log.warning("cannot remove old logs: %s", error.strerror)

    def _look_at(self, file: Path) -> None:
        limits, size = self._limits, file.stat().st_size
        if size >= limits.most_bytes:
            log.warning("%s grows too fast: %d MiB of it were dropped", file.name, (size - limits.max_bytes) >> 20)
            self._cut(file, limits.max_bytes)
            size = file.stat().st_size
        step = step_for(size, self._free(self._files.folder), limits)
        if step == "rotate":
            try:
                self._rotate(file)
            except OSError as error:
                log.warning("no copy of %s: %s", file.name, error.strerror)
                step = "cut"
        if step == "cut":
            log.warning("no room on the disk: only the end of %s is kept", file.name)
            self._cut(file, limits.tail_bytes)

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
                # In this order an agent that is killed here leaves some lines twice, and loses none.
                copy = self._move_up(file, fresh)
                if not collapse(fd, size):
                    size = move_rest(fd, copy, size)
                self._files.take(file, size, kept=True)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    def _move_up(self, file: Path, fresh: Path) -> Path:
        """Make room for the newest copy, and put it there."""
        for one in reversed(copies(file)):
            number = int(one.suffix[1:])
            if number >= self._limits.kept:
                one.unlink()
            else:
                one.replace(file.with_name(f"{file.name}.{number + 1}"))
        return fresh.replace(file.with_name(f"{file.name}.1"))

    def _cut(self, file: Path, keep: int) -> None:
        """Keep the end alone, without a copy."""
        fd = os.open(file, os.O_RDWR)
        try:
            with self._files.lock:
                size = os.fstat(fd).st_size
                block = os.fstatvfs(fd).f_bsize
                gone = max(0, size - keep) // block * block
                if not (gone and collapse(fd, gone)):
                    tail = os.pread(fd, keep, max(0, size - keep))
                    os.ftruncate(fd, 0)
                    gone = size - len(tail)
                    with file.open("ab", buffering=0) as out:
                        out.write(tail)
                self._files.take(file, gone, kept=False)
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
