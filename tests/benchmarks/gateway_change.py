"""How soon a change of the weight holds in every worker while all of them are busy: the acknowledgement says so.

    PYTHONPATH=tests python tests/benchmarks/gateway_change.py [--changes 400] [--workers 2] [--clients 32]

The config is kept in memory here; what the disk for temporary files adds is printed beside it. Load and engines are
niced processes of their own, since users have machines of their own. Every other change lowers the weight, as a
rollback does. Exits with 1 where a median is above the limit, or a request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway.lab.client import Connection
from gateway.lab.engine import Engine
from gateway.lab.process import Gateway
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, GatewayConfig, Replica
from quantdeck_gateway import config_file

LIMIT_MS = 10.0
NICE = 10
PAUSE_S = 0.02
MEMORY = Path("/dev/shm")


async def engine() -> None:
    """Answer until standard input ends; the first line says where."""
    os.nice(NICE)
    one = Engine("control")
    await one.start()
    print(one.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await one.stop()


async def load(port: int, clients: int) -> None:
    """Ask until standard input ends; the last line says how many were answered, and how many were not."""
    os.nice(NICE)
    ended, answered, failed = asyncio.Event(), 0, 0

    async def client(number: int) -> None:
        nonlocal answered, failed
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
        while not ended.is_set():
            reply = await connection.ask("POST", "/v1/completions", b"{}", {"x-user-id": f"u{number}-{answered}"})
            answered += reply.status == 200 and reply.whole
            failed += not (reply.status == 200 and reply.whole)
        await connection.close()

    tasks = [asyncio.create_task(client(number)) for number in range(clients)]
    await asyncio.to_thread(sys.stdin.read)
    ended.set()
    failed += sum(isinstance(one, BaseException) for one in await asyncio.gather(*tasks, return_exceptions=True))
    print(answered, failed)


def _part(*arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, __file__, *arguments]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def measure(changes: int, workers: int, clients: int) -> tuple[list[float], int, int]:
    """Acknowledgement latencies in ms, and the load's answered and failed requests."""
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="qd-", dir=MEMORY if MEMORY.exists() else None))
        )
        engines = [stack.enter_context(_part("--engine")) for _ in range(2)]
        urls = [(one.stdout.readline() if one.stdout else "").strip() for one in engines]
        gateway = Gateway(folder, "--workers", str(workers))
        arms = [Arm(replicas=(Replica(name=url, url=url),)) for url in urls]
        users = stack.enter_context(_part("--load", str(gateway.port), "--clients", str(clients)))
        route = ExperimentRoute(name="e", served_name="e", control=arms[0], treatment=arms[1])
        await gateway.serve(route)
        await asyncio.sleep(1.0)
        control = Connection(*await asyncio.open_unix_connection(str(gateway.control)))
        revision, times = (await gateway.status()).revision, []
        for number in range(changes):
            revision += 1
            changed = msgspec.structs.replace(route, weight_bp=number * 37 % 5_000 + 5_000 * (number % 2))
            body = msgspec.json.encode(GatewayConfig(revision=revision, experiments=(changed,)))
            began = time.perf_counter()
            reply = await control.ask("PUT", "/v1/config", body)
            times.append((time.perf_counter() - began) * 1e3)
            assert reply.status == 200, reply.body
            await asyncio.sleep(PAUSE_S)
        await control.close()
        out, _ = await asyncio.to_thread(users.communicate, "")
        assert gateway.end() == 0
        for one in engines:
            one.communicate("")
    answered, failed = map(int, out.split())
    return times, answered, failed


def save_ms(times: int = 20) -> float:
    """Median of what it takes to keep a config on the disk of the folder for temporary files."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(times):
            began = time.perf_counter()
            config_file.save(Path(folder) / "config.json", GatewayConfig(revision=number))
            taken.append((time.perf_counter() - began) * 1e3)
    return sorted(taken)[times // 2]


def main() -> int:
    """Measure, print beside the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--changes", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--engine", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        asyncio.run(engine())
        return 0
    if options.load:
        asyncio.run(load(options.load, options.clients))
        return 0
    times, answered, failed = asyncio.run(measure(options.changes, options.workers, options.clients))
    medians = []
    for kind, of_kind in (("raised", times[1::2]), ("lowered", times[::2])):
        of_kind.sort()
        medians.append(of_kind[len(of_kind) // 2])
        for name, value in (("p50", medians[-1]), ("p99", of_kind[int(len(of_kind) * 0.99)]), ("max", of_kind[-1])):
            print(f"{kind:<8} {name}  {value:8.2f} ms  limit {LIMIT_MS:g} ms  ratio {value / LIMIT_MS:.2f}")
    print(f"kept on a disk     {save_ms():8.2f} ms on top")
    print(f"errors {failed:>8} of {answered + failed} requests")
    return int(max(medians) > LIMIT_MS or failed > 0)


if __name__ == "__main__":
    sys.exit(main())
