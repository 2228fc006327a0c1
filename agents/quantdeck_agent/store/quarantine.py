"""Damaged files are moved away, never deleted at once: somebody may want to know what happened."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from quantdeck_agent.store.journal import sync_folder

KEPT = 5
"""Newest cases; older ones are deleted."""


def quarantine(folder: Path, files: Iterable[Path], reason: str) -> Path | None:
    """Move files into a folder of their own below `quarantine/`, with the reason beside them.

    Returns:
        That folder, None where none of the files is there.

    Raises:
        OSError: the disk or its permissions.
    """
    there = [file for file in files if file.is_symlink() or file.exists()]
    if not there:
        return None
    place = _new_folder(folder / "quarantine", there[0].name)
    for file in there:
        file.rename(place / file.name)
    sync_folder(folder)
    with contextlib.suppress(OSError):  # a full disk; the reason is also in the log and in an alarm
        (place / "reason.txt").write_text(reason + "\n")
    _forget_old(place.parent)
    return place


def _new_folder(root: Path, name: str) -> Path:
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        root.rename(root.with_name(f"{root.name}-{time.time_ns()}"))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    place = root / f"{stamp}-{time.time_ns() % 10**9:09d}-{name}"
    place.mkdir(mode=0o700, parents=True)
    return place


def _forget_old(root: Path) -> None:
    for old in sorted(path for path in root.iterdir() if path.is_dir())[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
