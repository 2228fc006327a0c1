"""A pipe whose other end another process holds: when that process is gone, however it went, this one notices."""

from __future__ import annotations

import asyncio
import os


async def wait_for_end(fd: int) -> None:
    """Return when the other end of a pipe is closed.

    Args:
        fd: reading end, inherited; nothing is ever written to it.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    os.set_blocking(fd, False)

    def readable() -> None:
        try:
            if os.read(fd, 4096) == b"":
                ended.set()
        except BlockingIOError:
            return
        except OSError:
            ended.set()

    loop.add_reader(fd, readable)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
