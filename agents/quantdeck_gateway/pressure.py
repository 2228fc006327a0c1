"""What engines say of themselves: full ones get less, before the limit that somebody once guessed is reached."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from typing import NamedTuple

from quantdeck_core.engines.metrics_page import Family, read_page
from quantdeck_gateway.limits import MIB

PAGE_BYTES = 2 * MIB
READ_S = 1.0
FULL_KV = 0.95
"""Beyond it vLLM preempts: what it threw out of the cache it computes again."""
_READINGS = 2
"""Readings in a row with requests that wait in the engine; a single one is a burst."""
_SHRINK, _GROW = 0.9, 1.05

_FAMILIES = {
    "vllm:num_requests_waiting": Family("waiting"),
    "vllm:kv_cache_usage_perc": Family("kv_usage", most=True),
    "vllm:gpu_cache_usage_perc": Family("kv_usage", most=True),
    "llamacpp:requests_deferred": Family("waiting"),
    "llamacpp:kv_cache_usage_ratio": Family("kv_usage", most=True),
}
_NAMES = tuple(_FAMILIES)


class Reading(NamedTuple):
    """One look at an engine; what it does not tell is no pressure.

    Attributes:
        waiting: requests that wait for a place within it.
        kv_usage: share of its KV cache in use, 0 to 1.
    """

    waiting: int = 0
    kv_usage: float = 0.0


class Gauge:
    """Whether an engine is full.

    Attributes:
        last: what it said.
        ask_at: when it is asked next at the earliest, seconds on a steady clock.
    """

    def __init__(self) -> None:
        self.last = Reading()
        self.ask_at = 0.0
        self._waited = 0

    def read(self, reading: Reading) -> None:
        """Take in a reading."""
        self.last = reading
        self._waited = self._waited + 1 if reading.waiting else 0

    @property
    def full(self) -> bool:
        """As of the last reading."""
        return self._waited >= _READINGS or self.last.kv_usage > FULL_KV


class Window:
    """How many requests may be in flight: the limit, and less while engines are full (additive increase would take
    hours to come back to 4096, so that it grows by a share too).

    Attributes:
        room: at least 1.
        pressed: whether the last second was one of pressure.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, float(limit)
        self.pressed = False

    @property
    def room(self) -> int:
        """As a whole number."""
        return int(self._size)

    def resize(self, limit: int) -> None:
        """Another limit holds from now on."""
        self._size = float(limit) if self._size >= self._limit else min(self._size, float(limit))
        self._limit = limit

    def second(self, pressed: bool, in_flight: int, waiting: int) -> None:
        """A second has passed.

        Args:
            pressed: the engines are full.
            waiting: of those in flight, how many the engines let wait; the rest runs, and may go on.
        """
        self.pressed = pressed
        if pressed:
            size = min(self._size, in_flight)
            self._size = max(min(size * _SHRINK, size - waiting / 2), in_flight - waiting, 1.0)
        else:
            self._size = min(self._size * _GROW + 1.0, float(self._limit))


def pressed(gauges: list[Gauge]) -> bool:
    """Whether an arm is full: half of its engines are."""
    return bool(gauges) and 2 * sum(gauge.full for gauge in gauges) >= len(gauges)


def read_reading(page: bytes) -> Reading:
    """What a page of metrics in Prometheus' text format says."""
    lines = [line for line in page.decode(errors="replace").split("\n") if line.startswith(_NAMES)]
    found = read_page("\n".join(lines), _FAMILIES, "")
    return Reading(found.whole("waiting") or 0, found.value("kv_usage") or 0.0)


async def ask(host: str, port: int, head: bytes, ssl: SSLContext | None = None) -> Reading | None:
    """Ask an engine for its metrics; None where it has none, or no time.

    Args:
        head: request line and fields, with the empty line, of an HTTP/1.0 GET: its answer comes without chunks.
    """
    writer = None
    try:
        async with asyncio.timeout(READ_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=ssl)
            writer.write(head)
            page = bytearray()
            while data := await reader.read(65_536):
                page += data
                if len(page) > PAGE_BYTES:
                    return None
    except OSError:  # also what is too late, and what TLS refuses
        return None
    finally:
        if writer is not None:
            writer.transport.abort()
    status, _, rest = bytes(page).partition(b"\r\n")
    return read_reading(rest) if b" 200" in status[:13] else None
