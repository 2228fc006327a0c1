"""Four times the rate that an arm can serve: what becomes of the answers, of those who are refused, and of the memory.

    python tests/benchmarks/gateway_overload.py

An engine of known capacity, a gateway, and clients who do not wait for it. First as many clients as the engine has
slots, each of whom asks again as soon as it is answered: the peak. Then four times the engine's capacity, at an even
pace.

Prints each figure beside its limit; exit 1 where one is exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the lab lies beside the tests

from gateway.lab.process import Gateway, rss_mib
from gateway.lab.slots import Crowd, SlotEngine, goodput, p99
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, Limits, Replica

SLOTS, SECONDS, FACTOR = 8, 0.05, 4
LIMITS = Limits(max_in_flight=SLOTS, max_queue=1024, queue_s=1.0)
GOODPUT_LIMIT, SHED_LIMIT_MS, MEMORY_LIMIT_MIB = 0.9, 100.0, 8.0


async def measure(seconds: float) -> tuple[float, float, float, float]:
    """Peak and goodput as requests a second, the 99th percentile of refusals in ms, and the memory's growth in MiB."""
    engine = SlotEngine(SLOTS, SECONDS)
    await engine.start()
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder))
        arm = Arm(replicas=(Replica(name="e", url=engine.url),), limits=LIMITS)
        await gateway.serve(ExperimentRoute(name="b", served_name="b", control=arm, treatment=Arm()))
        crowd = Crowd(gateway.port)
        peak = goodput(await crowd.stay(SLOTS, seconds))
        await crowd.come(FACTOR * SLOTS / SECONDS, 1.0)
        before = rss_mib(gateway.process.pid)
        outcomes = await crowd.come(FACTOR * SLOTS / SECONDS, seconds)
        grown = rss_mib(gateway.process.pid) - before
        await crowd.leave()
        gateway.end()
    await engine.stop()
    refused = [one.took for one in outcomes if one.status == 429]
    return peak, goodput(outcomes, since=0.5), p99(refused) * 1e3, grown


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each part (default: %(default)s)")
    peak, good, refused, grown = asyncio.run(measure(max(2.0, parser.parse_args().seconds)))
    print(f"goodput  {good:6.1f}/s of {peak:.1f}/s   limit {GOODPUT_LIMIT:.2f}       ratio {good / peak:.2f}")
    print(f"refused  {refused:6.1f} ms p99       limit {SHED_LIMIT_MS:.0f} ms     ratio {refused / SHED_LIMIT_MS:.2f}")
    share = grown / MEMORY_LIMIT_MIB
    print(f"memory   {grown:6.1f} MiB more       limit {MEMORY_LIMIT_MIB:.0f} MiB      ratio {share:.2f}")
    return int(good < GOODPUT_LIMIT * peak or refused > SHED_LIMIT_MS or grown > MEMORY_LIMIT_MIB)


if __name__ == "__main__":
    sys.exit(main())
