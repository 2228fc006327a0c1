"""Processes that write a log as engines do: appending to a file that they hold open."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
count, number = int(sys.argv[2]), 0
while number < count:
    # Some lines a write, as a buffered engine does; then wait for a while every so often, as an engine does too.
    part = b"".join(b"line %09d %s\\n" % (n, b"x" * (n % 90)) for n in range(number, min(count, number + 7)))
    os.write(fd, part)
    number += 7
"""


@contextlib.contextmanager
def writer(file: Path, lines: int) -> Iterator[subprocess.Popen[bytes]]:
    """Writes numbered lines as fast as it can."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(file), str(lines)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()
