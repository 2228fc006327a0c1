"""The end of a log, across its last rotation."""

from __future__ import annotations

import os
from pathlib import Path

from quantdeck_agent.logs.files import copies

READ_BYTES = 256 << 10


def log_tail(file: Path, start_offset: int = 0, limit: int = READ_BYTES) -> str:
    """What was written to a log since it had `start_offset` bytes: its end in whole lines, at most `limit` bytes.

    Where the file is shorter now, it was rotated: then the copy has the rest. Empty without a log.
    """
    try:
        size = file.stat().st_size
        if size < start_offset:
            data = _rotated(file, start_offset, size, limit)
        else:
            data = _read(file, max(start_offset, size - limit), limit)
            if size - start_offset <= limit:
                return data.decode("utf-8", "replace")
    except OSError:
        return ""
    whole = data.partition(b"\n")[2] if len(data) >= limit else data
    return whole.decode("utf-8", "replace")


def _rotated(file: Path, start_offset: int, size: int, limit: int) -> bytes:
    earlier = b""
    for copy in copies(file)[:1]:
        length = copy.stat().st_size
        start = max(start_offset, length - max(0, limit - size))
        earlier = _read(copy, start, max(0, length - start))
    return earlier + _read(file, max(0, size - limit), limit)


def _read(file: Path, start: int, size: int) -> bytes:
    with file.open("rb") as opened:
        return os.pread(opened.fileno(), size, start)
