"""What the whole demo costs in memory."""

from __future__ import annotations

import asyncio

import psutil

SAMPLE_S = 0.5


class Footprint:
    """Peak of the resident memory of this process and everything below it: agents, gateway, analyser, engines.

    Shared pages are counted once a process, so this is an upper bound.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0

    async def run(self) -> None:
        """Look twice a second until cancelled."""
        me = psutil.Process()
        while True:
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue
            self.peak_bytes = max(self.peak_bytes, total)
            await asyncio.sleep(SAMPLE_S)
