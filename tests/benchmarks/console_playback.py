"""Ten minutes of a busy fleet in a file, and the console that plays them ten times as fast.

    python tests/benchmarks/console_playback.py [--hosts 100]

Each host has an experiment, two engines and a gateway, and tells five things a second, as one under load does. Printed
beside their limits: bytes that a host takes in the file, what the console's memory grows by in the ten minutes (a line
through all but the first ten seconds), its processor, and how long it takes to wind.

Exits with 1 where a limit is exceeded.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from pseudo_terminal import PseudoTerminal, has, report

sys.path.insert(0, str(Path(__file__).parents[1]))

from quantdeck_console.recording.recorder import Recorder
from quantdeck_console.recording.records import Record
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import EngineEvent, ExperimentEvent, GatewayEvent, SampleEvent
from support.fleets import NOW, arm, engine, experiment, gateway, rack, sample
from support.recordings import at

CONSOLE = [sys.executable, "-m", "quantdeck", "console"]
SECONDS = 600
SPEED = 10
SETTLE_S = 10.0
BYTES_LIMIT = 1_000.0
GROWTH_LIMIT_MIB = 5.0
CPU_LIMIT = 100.0
MINUTE_LIMIT_S, WHOLE_LIMIT_S = 5.0, 30.0


def heard(hosts: list[str]) -> Iterator[Record]:
    """What a console would have received; no two readings are the same."""
    pick = random.Random(7)
    for host in hosts:
        yield at(0, host, LinkChange(state="connected", role="operator"))
        yield at(0, host, rack(name=host))
    for second in range(1, SECONDS):
        for host in hosts:
            t, busy = second + pick.random() * 0.9, pick.uniform(0, 1)
            reading = sample(
                t=NOW + t, cpu_percent=busy * 100, load_1m=busy * 8, memory_used_bytes=int(busy * 32 * 2**30)
            )
            told = [
                SampleEvent(revision=second, sample=reading),
                GatewayEvent(revision=second, gateway=gateway(rps=busy * 90, in_flight=int(busy * 20))),
                ExperimentEvent(
                    revision=second,
                    experiment=experiment(control=arm("control", 500 + second, ttft_p95_ms=40 + busy * 100)),
                ),
                *(
                    EngineEvent(revision=second, engine=engine(name, tokens_per_s=busy * 900, running=int(busy * 30)))
                    for name in ("control", "treatment")
                ),
            ]
            for event in told:
                yield at(round(t, 3), host, event)


def record(path: Path, hosts: list[str]) -> float:
    """Bytes a second and host."""
    now = [NOW]
    recorder = Recorder(path, hosts, lambda: now[0])
    for count, one in enumerate(heard(hosts)):
        now[0] = max(now[0], one.t)
        recorder.put(one)
        if not count % (5 * len(hosts)):
            recorder.flush()
    now[0] = NOW + SECONDS
    recorder.close()
    return path.stat().st_size / SECONDS / len(hosts)


def watched(one: PseudoTerminal) -> tuple[list[tuple[float, float]], float]:
    """Resident MiB by time until the end of the recording, and percent of a core."""
    process, began, found = psutil.Process(one.process.pid), time.monotonic(), []
    used = sum(process.cpu_times()[:2])
    ended = has("END of the recording")
    while not ended(one.cells.lines):
        found.append((time.monotonic() - began, process.memory_info().rss / 2**20))
        one.read_for(0.5)
        assert one.process.poll() is None
    return found, (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - began) * 100


def wound(one: PseudoTerminal, keys: str, until: str) -> float:
    """Seconds until something is shown after keys."""
    began = time.monotonic()
    one.press(keys)
    return one.wait_until(has(until), 120) - began


def measure(hosts: int) -> list[tuple[str, float, float, str]]:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "night.gz"
        size = record(path, [f"gpu-{number:03}" for number in range(hosts)])
        with PseudoTerminal([*CONSOLE, "--play", str(path), "--speed", str(SPEED)], environ={"TZ": "UTC"}) as one:
            one.wait_until(has("all quiet"), 60)
            found, processor = watched(one)
            steady = [(t, mib) for t, mib in found if t >= SETTLE_S]
            slope, _ = statistics.linear_regression([t for t, _ in steady], [mib for _, mib in steady])
            minute = wound(one, "<", "02:26:44")
            back = wound(one, "<" * 10, "02:17:4")
            on = wound(one, ">" * 11, "END of the recording")
            print(f"played {SECONDS} s in {found[-1][0]:.0f} s, {steady[0][1]:.0f} MiB then {steady[-1][1]:.0f} MiB")
    return [
        ("file, bytes a second and host", size, BYTES_LIMIT, "B/s"),
        ("memory in ten minutes", slope * found[-1][0], GROWTH_LIMIT_MIB, "MiB"),
        (f"processor at {SPEED} times", processor, CPU_LIMIT, "%"),
        ("a minute back", minute, MINUTE_LIMIT_S, "s"),
        ("to the beginning", back, MINUTE_LIMIT_S, "s"),
        ("through all of it", on, WHOLE_LIMIT_S, "s"),
    ]


def main() -> int:
    """Measure, print beside the limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hosts", type=int, default=100)
    return report(measure(parser.parse_args().hosts))


if __name__ == "__main__":
    sys.exit(main())
