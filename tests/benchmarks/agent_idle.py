"""What an agent costs while nothing happens: a gateway, two ready engines, an experiment, and nobody who watches.

    PYTHONPATH=tests python tests/benchmarks/agent_idle.py [--seconds 30]

Exits with 1 where it costs more than the limits.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.protocol.requests import CreateExperiment, Deploy
from quantdeck_demo.model import make_models
from support.agents import agent

CPU_LIMIT = 0.01
"""Of one core."""
RSS_LIMIT_BYTES = 60 << 20
SETTLE_S = 3.0


async def measure(seconds: float) -> tuple[float, int]:
    """Share of a core, and resident bytes of the agent's process."""
    with tempfile.TemporaryDirectory() as models:
        make_models(Path(models))
        async with agent(Path(models), "--gateway", "127.0.0.1:0") as one:
            client = one.client()
            for name in ("control", "treatment"):
                ask = Deploy(request_id=name, profile=load_profile("demo-f16"), name=name)
                await wait_until_ready(client, name, (await client.deploy(ask)).operation)
            await client.create_experiment(
                CreateExperiment(request_id="e", name="e", control="control", treatment="treatment")
            )
            await client.close()
            await asyncio.sleep(SETTLE_S)
            assert one.process
            process = psutil.Process(one.process.pid)
            before = process.cpu_times()
            await asyncio.sleep(seconds)
            after = process.cpu_times()
            used = after.user + after.system - before.user - before.system
            return used / seconds, process.memory_info().rss


def main() -> int:
    """Measure, print beside the limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30.0)
    cpu, rss = asyncio.run(measure(parser.parse_args().seconds))
    rows = (
        ("CPU, share of a core", f"{cpu:.2%}", f"{CPU_LIMIT:.0%}", cpu / CPU_LIMIT),
        ("resident memory", f"{rss / 2**20:.1f} MiB", f"{RSS_LIMIT_BYTES >> 20} MiB", rss / RSS_LIMIT_BYTES),
    )
    for name, value, limit, ratio in rows:
        print(f"{name:<22} {value:>10}  limit {limit:>7}  ratio {ratio:.2f}")
    return int(any(ratio > 1 for *_, ratio in rows))


if __name__ == "__main__":
    sys.exit(main())
