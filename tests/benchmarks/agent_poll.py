"""What one poll of a full host costs: 8 GPUs whose driver is played, 16 engines that serve a real page of vLLM.

    python tests/benchmarks/agent_poll.py

CPU time of the polling process, all of its threads, by the poll: GPUs, machine, memory of all sessions, 16 scrapes,
parsing, percentiles, history, alarms, and the encoded status. Everything is due in every poll, also what the agent
reads every five or ten seconds only. The engines' servers run in a process of their own and are not counted.

Prints both figures beside their limits; exit 1 where one is exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))  # the played driver lies beside the tests

from quantdeck_agent.hub import Hub
from quantdeck_agent.telemetry import gpu, sensors, sessions
from quantdeck_agent.telemetry.gpus import Gpus
from quantdeck_agent.telemetry.history import History
from quantdeck_agent.telemetry.owners import with_engines
from quantdeck_agent.telemetry.page import metrics_page
from quantdeck_agent.telemetry.sampler import Sampler
from quantdeck_agent.telemetry.scrape import Scraper
from quantdeck_agent.telemetry.series import engine_series, host_series
from quantdeck_agent.telemetry.sessions import SessionMemory
from quantdeck_core.engines.metrics import read_metrics
from quantdeck_core.engines.operation import enter, finish, steps_of
from quantdeck_core.engines.reading import EngineReading, EngineWatch
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.health.pressure import PressureState, assess
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.operation import Operation
from support.nvml import eight_gpus

HERE = Path(__file__).parent
PAGE = HERE.parent / "telemetry" / "pages" / "vllm-0.32.0.txt"
ENGINES = 16
CPU_LIMIT_MS = 60.0
STATUS_LIMIT_BYTES = 16 * 1024
WARM_UP = 5


class Host:
    """All that the agent does each second, with the parts that it does it with."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.sampler = Sampler(folder, gpus=Gpus(nvml=eight_gpus()))
        self.hub = Hub("gpu-rack-07.dc2.example.net", "0.1.0", self.sampler.last)
        self.history = History(folder / "history.db")
        self.scraper, self.memory = Scraper(), SessionMemory()
        self.watches = {port: EngineWatch() for port in ports}
        self.pressure = PressureState()
        self.readings: dict[str, EngineReading] = {}
        for number in range(4):
            self.hub.put_operation(operation(number, running=number == 3))

    async def poll(self) -> bytes:
        sample = with_engines(await self.sampler.sample(), [41_000 + n for n in range(ENGINES)])
        self.hub.put_sample(sample)
        self.pressure, _ = assess(self.pressure, sample)
        memory = self.memory.read(time.monotonic(), [os.getsid(0)])
        await asyncio.gather(*(self._engine(n, port, memory) for n, port in enumerate(self.watches)))
        values = host_series(sample)
        for name, reading in self.readings.items():
            values |= engine_series(name, reading)
        self.history.put(sample.t, values)
        return msgspec.json.encode(self.hub.status())

    async def _engine(self, n: int, port: int, memory: dict[int, int]) -> None:
        answer = await self.scraper.get(f"http://127.0.0.1:{port}/metrics", 2.0)
        assert answer is not None
        metrics = read_metrics("vllm", answer[1].decode())
        assert metrics.generated_tokens is not None
        rss = memory.get(os.getsid(0))
        name = f"assistant-llama-3.1-8b-awq-{n:02d}"
        self.readings[name] = self.watches[port].add(time.monotonic(), metrics, rss)
        self.hub.put_engines(name, (engine_status(n, name, port, self.readings[name]),))


def operation(number: int, *, running: bool) -> Operation:
    """A replacement, under way or done."""
    begun = Operation(
        id=f"op-{number + 170}",
        kind="replace",
        engine=f"assistant-llama-3.1-8b-awq-{number:02d}",
        by="oncall@bastion-1.eu",
        at=1_795_540_061.0597963,
        replicas=(0,),
        generation=number + 20,
        steps=steps_of("replace"),
    )
    loading = enter(begun, "load", 1_795_540_075.1, "loading weights, shard 5 of 11", 0.45)
    return loading if running else finish(loading, 1_795_540_160.2)


def engine_status(n: int, name: str, port: int, reading: EngineReading) -> EngineStatus:
    """As long as they are in life; two have failed."""
    failed = ErrorInfo(
        code="engine-failed",
        title="Engine failed",
        detail=f"{name} ended by itself: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 3"
        " has a total capacity of 79.11 GiB of which 1.04 GiB is free.",
        hint=f"Read /var/lib/quantdeck/logs/engine-{name}.3.log, then deploy it again with --replace.",
    )
    return EngineStatus(
        name=name,
        profile="llama-3.1-8b-instruct-awq-int4",
        engine="vllm",
        served_name="assistant",
        state="failed" if n in (3, 11) else "ready",
        generation=n + 1,
        epoch=n + 1,
        version="0.32.0+cu129",
        planned_bytes=71_468_255_805,
        measured_bytes=72_011_436_032,
        gpus=(n // 2,),
        model="Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
        model_sha256="3f79bb7b435b0532",
        url=f"http://127.0.0.1:{port}",
        pid=41_000 + n,
        started_at=1_795_540_061.059,
        ready_s=83.412,
        rss_bytes=reading.rss_bytes,
        running=reading.metrics.running,
        waiting=reading.metrics.waiting,
        tokens_per_s=reading.tokens_per_s,
        prompt_tokens_per_s=reading.prompt_tokens_per_s,
        kv_usage=reading.kv_usage,
        ttft_p95_ms=reading.ttft_p95_ms or 1234.5,
        itl_p95_ms=reading.itl_p95_ms or 23.4,
        error=failed if n in (3, 11) else None,
    )


@contextlib.contextmanager
def servers() -> Iterator[list[int]]:
    """Ports of the engines."""
    argv = [sys.executable, str(HERE / "pages_server.py"), str(PAGE), str(ENGINES)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield [int(port) for port in process.stdout.readline().split()]
        finally:
            process.stdin.close()
            process.wait(timeout=10)


async def measure(polls: int) -> tuple[list[float], int, float]:
    """CPU of each poll in ms, size of the last status, and CPU of a metrics page in ms."""
    with servers() as ports, tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder), ports)
        costs = []
        for n in range(WARM_UP + polls):
            before = time.process_time()
            status = await host.poll()
            if n >= WARM_UP:
                costs.append((time.process_time() - before) * 1000)
        before = time.process_time()
        metrics_page(host.hub.status(), host.readings)
        page_ms = (time.process_time() - before) * 1000
        await host.scraper.close()
        host.history.close()
    return costs, len(status), page_ms


def main() -> int:
    gpu.SLOW_EVERY_S = sensors.EVERY_S = sessions.EVERY_S = 0.0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--polls", type=int, default=60, help="(default: %(default)s)")
    costs, size, page_ms = asyncio.run(measure(max(30, parser.parse_args().polls)))
    cpu = statistics.median(costs)
    print(f"poll    {cpu:6.1f} ms CPU   limit {CPU_LIMIT_MS:5.0f} ms    ratio {cpu / CPU_LIMIT_MS:.2f}", end="")
    print(f"   (median of {len(costs)}; {min(costs):.1f} to {max(costs):.1f})")
    print(f"status  {size:6d} bytes    limit {STATUS_LIMIT_BYTES:5d}       ratio {size / STATUS_LIMIT_BYTES:.2f}")
    print(f"a metrics page beside it: {page_ms:.1f} ms CPU")
    return int(cpu > CPU_LIMIT_MS or size > STATUS_LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
