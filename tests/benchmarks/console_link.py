"""The console's link with 1,000 agents over local sockets that tell 10,000 things a second: is it quick enough?

    python tests/benchmarks/console_link.py [--seconds 20]

The agents are played, in a process of their own; each writes once a second what it has to tell. The connections, HTTP,
the splitting into lines and the decoding are the console's own. What takes the events does nothing with them, or is the
console's model; `console_scale.py` measures what is drawn of it. SSH is not in it: that costs one decryption more.

Prints shares of a core beside the limit for all of the console; exit 1 where it is exceeded or updates do not arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pseudo_terminal import report

from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_console.model.deck import DeckModel
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event

HOSTS, RATE = 1000, 10
CPU_LIMIT = 60.0
RATE_LIMIT = 0.95
SETTLE_S = 3.0

Take = Callable[[str, Event | LinkChange], object]


async def measure(fleet: Fleet, take: Take, seconds: float) -> tuple[float, float]:
    """Percent of a core, and updates a second, once all hosts are connected."""
    heard = 0
    connected: set[str] = set()

    def listen(host: str, update: Event | LinkChange) -> None:
        nonlocal heard
        heard += 1
        if isinstance(update, LinkChange) and update.state == "connected":
            connected.add(host)
        take(host, update)

    link = asyncio.create_task(SshFleet(fleet).run(listen))
    try:
        async with asyncio.timeout(120):
            while len(connected) < len(fleet.host):
                await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLE_S)
        used, began, before = time.process_time(), time.monotonic(), heard
        await asyncio.sleep(seconds)
        passed = time.monotonic() - began
        return (time.process_time() - used) / passed * 100, (heard - before) / passed
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="(default: %(default)s)")
    seconds = parser.parse_args().seconds
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4 * HOSTS), most))
    script = Path(__file__).with_name("played_agents.py")
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, str(script), folder, "--hosts", str(HOSTS), "--rate", str(RATE)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            try:
                assert process.stdout.readline() == b"ready\n"
                hosts = tuple(Host(name=one.stem, socket=str(one)) for one in sorted(Path(folder).glob("*.sock")))
                fleet = Fleet(host=hosts)
                model = DeckModel([host.name for host in hosts], time.time)
                alone, rate = asyncio.run(measure(fleet, lambda _host, _update: None, seconds))
                modelled, rate_then = asyncio.run(measure(fleet, model.receive, seconds))
            finally:
                process.stdin.close()
                process.wait(timeout=10)
    print(f"{HOSTS} hosts: {rate:.0f} updates a second, and {rate_then:.0f} with the model behind it")
    failed = report(
        [
            ("the link's share of a core", alone, CPU_LIMIT, "%"),
            ("the link's and the model's", modelled, CPU_LIMIT, "%"),
        ]
    )
    return failed or int(min(rate, rate_then) < HOSTS * RATE * RATE_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
