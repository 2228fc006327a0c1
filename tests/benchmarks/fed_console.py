"""The console on a fleet that is played: real event lines, decoded as its link decodes them, at a steady rate.

Started by the benchmarks of the console, in a terminal of theirs. With `--bare` there is no console: it prints what
handing the lines over costs, and what that costs with decoding, as shares of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from played_lines import Lines, host_names

from quantdeck_console import terminal
from quantdeck_core.errors import UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event

if TYPE_CHECKING:
    from quantdeck_console.link.deck_client import DeckClient

T = TypeVar("T")

SLICE = 100
"""Lines handed over between two turns of the event loop: what some connections have when they are read."""
EVERY_S = 0.01


class Feed:
    """Hands lines over at a rate.

    Attributes:
        handed: lines so far.
    """

    def __init__(self, lines: Iterator[tuple[str, bytes]], rate: float) -> None:
        self._lines, self._rate = lines, rate
        self.handed = 0
        self.began = 0.0

    async def run(self, take: Callable[[str, bytes], object], seconds: float = float("inf")) -> None:
        self.began = now = time.monotonic()
        while now - self.began < seconds:
            due = int((now - self.began) * self._rate)
            while self.handed < due:
                count = min(SLICE, due - self.handed)
                for host, line in itertools.islice(self._lines, count):
                    take(host, line)
                self.handed += count
                await asyncio.sleep(0)
            await asyncio.sleep(EVERY_S)
            now = time.monotonic()


class FedLink:
    """A `FleetLink` whose hosts are all connected, and say what they are fed with."""

    def __init__(self, names: tuple[str, ...], lines: Lines, feed: Feed) -> None:
        self.hosts = names
        self._lines, self._feed = lines, feed

    async def run(self, listener: Callable[[str, Event | LinkChange], None]) -> None:
        decode = msgspec.json.Decoder(Event).decode
        for n, name in enumerate(self.hosts):
            listener(name, LinkChange(state="connected", role="operator"))
            listener(name, decode(self._lines.snapshot(name, n)))
            if n % 10 == 9:
                await asyncio.sleep(0)
        await self._feed.run(lambda host, line: listener(host, decode(line)))

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        raise UnreachableError(f"{host} is played.")


def print_bare(names: tuple[str, ...], lines: Lines, rate: float, seconds: float) -> None:
    decode = msgspec.json.Decoder(Event).decode
    for take in (lambda _host, _line: None, lambda _host, line: decode(line)):
        before, began = time.process_time(), time.monotonic()
        asyncio.run(Feed(lines.everything(names), rate).run(take, seconds))
        print((time.process_time() - before) / (time.monotonic() - began), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10_000, help="updates a second (default: %(default)s)")
    parser.add_argument("--changing", type=int, help="how many hosts' rows change; everything of all by default")
    parser.add_argument("--bare", type=float, default=0.0, help="so many seconds without a console, twice")
    parser.add_argument("--result", type=Path, help="where to write the rate that was reached, at the end")
    options = parser.parse_args()
    names, lines = host_names(options.hosts), Lines()
    if options.bare:
        print_bare(names, lines, options.rate, options.bare)
        return 0
    terminal.prepare(os.environ)
    from quantdeck_console.app import DeckApp

    said = lines.everything(names) if options.changing is None else lines.rows(names, options.changing)
    feed = Feed(said, options.rate)
    app = DeckApp(FedLink(names, lines, feed), by="bench@here")
    app.run(mouse=False)
    if options.result:
        options.result.write_text(str(feed.handed / (time.monotonic() - feed.began)))
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
