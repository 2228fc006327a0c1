"""A clock that a test sets, for agents, gateways and engines that it starts: the machine's own stays right."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

import pytest

_SHIM = """
import mmap, struct, time

with open({file!r}, "rb") as _file:
    _offset = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)

def _set(read, unit):
    def now():
        return read() + unit(struct.unpack("d", _offset)[0])
    return now

time.time = _set(time.time, float)
time.time_ns = _set(time.time_ns, lambda seconds: int(seconds * 1e9))
"""


class SetClock:
    """The time of day of every Python process that is started from now on. Their monotonic clocks go on as they do."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        offset = folder / "offset"
        offset.write_bytes(struct.pack("d", 0.0))
        with offset.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)
        # Python imports this at its start.
        (folder / "sitecustomize.py").write_text(_SHIM.format(file=str(offset)))
        paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    def jump(self, seconds: float) -> None:
        """Set it forward, or back."""
        (before,) = struct.unpack("d", self._offset)
        self._offset[:] = struct.pack("d", before + seconds)
