"""The console on 1,000 hosts that tell 10,000 things a second: keys, processor, memory.

    python tests/benchmarks/console_scale.py [--minutes 10]

The console runs in a pseudo-terminal of 80x24, on a fleet that is played inside its process: event lines as agents send
them, ten a second and host, each decoded as its link does it. Somebody moves the cursor at odd moments, down beyond the
screen and up again, and each key counts until the cursor stands on another host. A key's time is less by what the
console was ready to run for and other processes had the cores.

Processor: all of the console's process, less what handing the lines over costs where nobody takes them; decoding stays.
Memory: resident, once a second; a line through all but the first 20 seconds says how it grows. What a minute shows is
steps of the allocator, so it is judged only where ten minutes were measured.

Prints the figures beside their limits; exit 1 where one is exceeded.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from pseudo_terminal import PseudoTerminal, has, report

HOSTS, RATE = 1000, 10_000
P95_LIMIT_MS, P99_LIMIT_MS = 50.0, 100.0
CPU_LIMIT = 60.0
"""Percent of a core."""
GROWTH_LIMIT_MIB = 5.0
"""In ten minutes."""
RATE_LIMIT = 0.97
"""Share of the updates that must have arrived, for the other figures to mean what they say."""
SETTLE_S = 5.0
BARE_S = 5.0
UNSTEADY_S = 20.0
GROWN_S = 600.0
CONSOLE = [sys.executable, str(Path(__file__).with_name("fed_console.py")), "--hosts", str(HOSTS), "--rate", str(RATE)]


def bare() -> tuple[float, float]:
    """Percent of a core for handing the lines over, and for that with decoding."""
    found = subprocess.run([*CONSOLE, "--bare", str(BARE_S)], capture_output=True, check=True, text=True).stdout.split()
    return float(found[0]) * 100, float(found[1]) * 100


def under_cursor(lines: list[str]) -> str:
    """The host that the cursor stands on."""
    return next((line[1:].split()[0] for line in lines if line.startswith("▌")), "")


class Watch:
    """Presses keys, and looks at the process once a second."""

    def __init__(self, terminal: PseudoTerminal) -> None:
        self._terminal = terminal
        self._process = psutil.Process(terminal.process.pid)
        self._pick = random.Random(3)
        self.keys: list[float] = []
        self.waits: list[float] = []
        self.memory: list[tuple[float, float]] = []

    def run(self, seconds: float) -> tuple[float, float]:
        """Percent of a core, and bytes a second to the terminal, over that time."""
        began, before, count = time.monotonic(), self._used(), self._terminal.count
        while (passed := time.monotonic() - began) < seconds:
            if passed >= len(self.memory):
                self.memory.append((passed, self._process.memory_info().rss / 2**20))
            self._terminal.read_for(self._pick.uniform(0.05, 0.3))
            self._press("j" if len(self.keys) // 25 % 2 == 0 else "k")
        return (self._used() - before) / passed * 100, (self._terminal.count - count) / passed

    def _press(self, key: str) -> None:
        before, waited, pressed = under_cursor(self._terminal.cells.lines), self._terminal.waited_ms, time.monotonic()
        self._terminal.press(key)
        shown = self._terminal.wait_until(lambda lines: under_cursor(lines) not in ("", before), 10.0)
        self.waits.append(self._terminal.waited_ms - waited)
        self.keys.append((shown - pressed) * 1000)

    def _used(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="(default: %(default)s)")
    seconds = parser.parse_args().minutes * 60
    handing, decoding = bare()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "rate"
        with PseudoTerminal([*CONSOLE, "--result", str(result)]) as terminal:
            terminal.wait_until(has("all quiet"), 60.0)
            terminal.read_for(SETTLE_S)
            watch = Watch(terminal)
            used, sent = watch.run(seconds)
        rate = float(result.read_text())
    raw = sorted(watch.keys)
    alone = sorted(key - wait for key, wait in zip(watch.keys, watch.waits, strict=True))
    print(
        f"{HOSTS} hosts, {rate:.0f} updates a second, {len(raw)} keys in {seconds:.0f} s, {sent / 1000:.1f} KB/s drawn"
    )
    print(f"keys with what other processes took: p50 {at(raw, 0.5):.1f}, p95 {at(raw, 0.95):.1f},", end=" ")
    print(
        f"p99 {at(raw, 0.99):.1f}, worst {raw[-1]:.1f} ms; without: p50 {at(alone, 0.5):.1f}, worst {alone[-1]:.1f} ms"
    )
    print(
        f"processor: {used:.1f} % of a core in all, the feed alone {handing:.1f} %, decoding {decoding - handing:.1f} %"
    )
    minutes = [
        f"{one[1]:.1f}" for n, one in enumerate(watch.memory) if n == 0 or one[0] // 60 > watch.memory[n - 1][0] // 60
    ]
    print(f"memory: {', '.join(minutes)} MiB at the begin of each minute, {watch.memory[-1][1]:.1f} MiB at the end")
    rows = [
        ("key to redraw, p95", at(alone, 0.95), P95_LIMIT_MS, "ms"),
        ("key to redraw, p99", at(alone, 0.99), P99_LIMIT_MS, "ms"),
        ("the console's share of a core", used - handing, CPU_LIMIT, "%"),
    ]
    if seconds >= GROWN_S:
        steady = [one for one in watch.memory if one[0] >= UNSTEADY_S]
        slope = statistics.linear_regression(*zip(*steady, strict=True)).slope
        rows.append(("memory's growth in ten minutes", slope * GROWN_S, GROWTH_LIMIT_MIB, "MiB"))
    failed = report(rows)
    if rate < RATE * RATE_LIMIT:
        print(f"only {rate:.0f} of {RATE} updates a second arrived: this machine is too busy for these figures")
    return failed or int(rate < RATE * RATE_LIMIT)


def at(ordered: list[float], share: float) -> float:
    """A percentile of sorted figures."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    sys.exit(main())
