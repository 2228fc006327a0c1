"""The console on a fleet that is played: real event lines, decoded as its link decodes them, at a steady rate.

Started by the benchmarks of the console, in a terminal of theirs; with `--bare` there is no console, and it prints what
the feed alone costs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from quantdeck_console import terminal
from quantdeck_core.errors import UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import (
    EngineEvent,
    Event,
    ExperimentEvent,
    GatewayEvent,
    Heartbeat,
    SampleEvent,
    Snapshot,
)
from quantdeck_core.protocol.host import HostStatus
from support.fleets import arm, engine, experiment, gateway, gpus, sample

if TYPE_CHECKING:
    from quantdeck_console.link.deck_client import DeckClient

T = TypeVar("T")

VARIANTS = 40
ENGINES = ("control", "treatment", "chat-a", "chat-b", "code", "embed")
SLICE = 100
"""Lines handed over between two turns of the event loop: what a connection or a few have when they are read."""
EVERY_S = 0.01

Take = Callable[[str, bytes], None]


def host_names(count: int) -> tuple[str, ...]:
    return tuple(f"gpu-{number:04}" for number in range(count))


class Lines:
    """Encoded lines of agents, made before anything is measured; values differ from one to the next."""

    def __init__(self) -> None:
        pick = random.Random(7)
        now = time.time()
        self.samples = [
            sample(t=now, cpu_percent=pick.uniform(5, 95), gpus=gpus(2, pick.uniform(0.2, 0.95)), gpu_note="")
            for _ in range(VARIANTS)
        ]
        self.engines = {
            name: [
                engine(name, tokens_per_s=pick.uniform(50, 5000), running=pick.randrange(64), waiting=pick.randrange(9))
                for _ in range(VARIANTS)
            ]
            for name in ENGINES
        }
        self.gateways = [gateway(rps=pick.uniform(1, 90), in_flight=pick.randrange(99)) for _ in range(VARIANTS)]
        self.experiments = [
            experiment(control=arm("control", 500 + n, ttft_p95_ms=pick.uniform(20, 400))) for n in range(VARIANTS)
        ]
        encode = msgspec.json.encode
        events = [[SampleEvent(revision=2, sample=one) for one in self.samples]]
        events += [[EngineEvent(revision=2, engine=one) for one in self.engines[name]] for name in ENGINES]
        events += [[GatewayEvent(revision=2, gateway=one) for one in self.gateways]]
        events += [[ExperimentEvent(revision=2, experiment=one) for one in self.experiments]]
        events += [[Heartbeat(revision=2)] * VARIANTS]
        self.kinds = [[encode(event) for event in kind] for kind in events]

    def snapshot(self, name: str, n: int) -> bytes:
        """Everything of a host."""
        status = HostStatus(
            name=name,
            agent_version="0.1.0",
            sample=self.samples[n % VARIANTS],
            engines=tuple(self.engines[one][(n + k) % VARIANTS] for k, one in enumerate(ENGINES)),
            gateway=self.gateways[n % VARIANTS],
            experiments=(self.experiments[n % VARIANTS],),
        )
        return msgspec.json.encode(Snapshot(revision=1, status=status))

    def endless(self, hosts: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        """Every kind of event of every host in turn; nothing stays as it is."""
        for turn in itertools.count():
            for kind in self.kinds:
                for n, host in enumerate(hosts):
                    yield host, kind[(turn + n * 7) % VARIANTS]

    def rows(self, hosts: tuple[str, ...], changing: int) -> Iterator[tuple[str, bytes]]:
        """What changes the rows of some hosts, while the others say that they are there."""
        sample, engine, *_, heartbeat = self.kinds
        for turn in itertools.count(1):
            for n, host in enumerate(hosts):
                for kind in (sample, engine) if n < changing else (heartbeat,) * 2:
                    yield host, kind[(turn + n * 7) % VARIANTS]


class Feed:
    """Hands lines over at a rate.

    Attributes:
        handed: lines so far, without snapshots.
        late_s: how far it was behind at worst.
    """

    def __init__(self, lines: Iterator[tuple[str, bytes]], rate: float) -> None:
        self._lines, self._rate = lines, rate
        self.handed = 0
        self.late_s = 0.0
        self.began = 0.0

    async def run(self, take: Take, seconds: float = float("inf")) -> None:
        self.began = now = time.monotonic()
        while now - self.began < seconds:
            due = int((now - self.began) * self._rate)
            self.late_s = max(self.late_s, (due - self.handed) / self._rate if self._rate else 0.0)
            while self.handed < due:
                count = min(SLICE, due - self.handed)
                for host, line in itertools.islice(self._lines, count):
                    take(host, line)
                self.handed += count
                await asyncio.sleep(0)
            await asyncio.sleep(EVERY_S)
            now = time.monotonic()


class FedLink:
    """A `FleetLink` that is fed."""

    def __init__(self, names: tuple[str, ...], lines: Lines, feed: Feed) -> None:
        self._names, self._lines, self._feed = names, lines, feed

    @property
    def hosts(self) -> tuple[str, ...]:
        return self._names

    async def run(self, listener: Callable[[str, Event | LinkChange], None]) -> None:
        decode = msgspec.json.Decoder(Event).decode
        for n, name in enumerate(self._names):
            listener(name, LinkChange(state="connected", role="operator"))
            listener(name, decode(self._lines.snapshot(name, n)))
            if n % 10 == 9:
                await asyncio.sleep(0)
        await self._feed.run(lambda host, line: listener(host, decode(line)))

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        raise UnreachableError(f"{host} is played.")


def bare(names: tuple[str, ...], lines: Lines, rate: float, seconds: float) -> None:
    """Print two shares of a core: of handing lines over, and of that with decoding."""
    decode = msgspec.json.Decoder(Event).decode
    for take in (lambda _host, _line: None, lambda _host, line: decode(line)):
        before, began = time.process_time(), time.monotonic()
        asyncio.run(Feed(lines.endless(names), rate).run(take, seconds))
        print((time.process_time() - before) / (time.monotonic() - began), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10_000, help="updates a second (default: %(default)s)")
    parser.add_argument("--changing", type=int, help="how many hosts' rows change; all values of all by default")
    parser.add_argument("--bare", type=float, default=0.0, help="seconds without a console")
    parser.add_argument("--result", type=Path, help="where to write how the feed went")
    options = parser.parse_args()
    names, lines = host_names(options.hosts), Lines()
    if options.bare:
        bare(names, lines, options.rate, options.bare)
        return 0
    terminal.prepare(os.environ)
    from quantdeck_console.app import DeckApp

    endless = lines.endless(names) if options.changing is None else lines.rows(names, options.changing)
    feed = Feed(endless, options.rate)
    app = DeckApp(FedLink(names, lines, feed), by="bench@here")
    app.run(mouse=False)
    if options.result:
        seconds = time.monotonic() - feed.began
        result = {"rate": feed.handed / seconds, "late_s": feed.late_s, "gc": gc.get_stats()}
        options.result.write_bytes(msgspec.json.encode(result))
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
