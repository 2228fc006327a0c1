"""Take the beginning off a file that somebody else appends to.

Linux can remove a range of whole blocks from a file in one step (`fallocate(2)`, FALLOC_FL_COLLAPSE_RANGE; ext4 and
XFS): what a writer adds meanwhile is untouched, so nothing is lost. On other file systems a file can only be truncated:
what is written between the last look at the size and the truncation, some microseconds, is lost there.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
from pathlib import Path

_COLLAPSE_RANGE = 0x08
_CHUNK = 1 << 20


def collapse(file: int, size: int) -> bool:
    """Remove the first bytes of an open file, a multiple of its block size; False where its file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.fallocate(file, _COLLAPSE_RANGE, ctypes.c_int64(0), ctypes.c_int64(size))
    return result == 0


def whole_blocks(file: int) -> int:
    """Bytes that can be collapsed now: whole blocks, and not all of the file."""
    block = os.fstatvfs(file).f_bsize
    return (max(0, os.fstat(file).st_size - 1) // block) * block


def copy_range(source: int, target: Path, start: int, end: int) -> None:
    """Append a range of an open file to another one.

    Raises:
        OSError: the disk is full, among others.
    """
    with target.open("ab", buffering=0) as out:
        os.fchmod(out.fileno(), 0o600)
        _copy(source, out, start, end)


def move_rest(source: int, target: Path, start: int) -> int:
    """Append what follows `start` to another file, and truncate at once; returns the bytes taken from the beginning.

    Raises:
        OSError: the disk is full, among others; nothing was truncated then.
    """
    with target.open("ab", buffering=0) as out:
        size = _copy(source, out, start, sys.maxsize)
        os.ftruncate(source, 0)
    return size


def _copy(source: int, out: io.FileIO, start: int, end: int) -> int:
    while start < end and (chunk := os.pread(source, min(_CHUNK, end - start), start)):
        view = memoryview(chunk)
        while view:
            view = view[out.write(view) or 0 :]
        start += len(chunk)
    return start
