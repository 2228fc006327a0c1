"""How long users wait, as the control socket tells it: what the metrics page says, of all workers together."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.lab.engine import PACE_S
from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import ArmCounters

USERS = [f"user-{number}" for number in range(24)]


async def _page(gateway: Gateway, experiment: str, variant: str, signal: str) -> list[int]:
    """Counts of the metrics page by bucket."""
    text = (await gateway.ask("GET", "/metrics")).body.decode()
    name, labels = f"quantdeck_gateway_{signal}_seconds", {"experiment": experiment, "variant": variant}
    found = next(one for one in text_string_to_metric_families(text) if one.name == name)
    below = [
        one.value for one in found.samples if one.name.endswith("_bucket") and labels.items() <= one.labels.items()
    ]
    return [int(high - low) for low, high in itertools.pairwise([0.0, *below])]


@pytest.fixture(params=["1", "2"])
async def of_workers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway of one worker, and of two."""
    gateway = Gateway(tmp_path, "--workers", request.param)
    yield gateway
    assert await asyncio.to_thread(gateway.end) == 0


async def test_the_status_has_the_histograms_of_the_page(of_workers: Gateway, experiment: Experiment) -> None:
    gateway = of_workers
    await gateway.serve(experiment.route(5000))
    asks = [
        gateway.chat(user=user, stream=number % 2 == 0, act="paced", text="a b c") for number, user in enumerate(USERS)
    ]
    replies = await asyncio.gather(*asks)
    arms = await gateway.arms(experiment.name)
    by_name: dict[str, ArmCounters] = dict(zip(("control", "treatment"), arms, strict=True))
    for variant, arm in by_name.items():
        assert arm.generation == 3
        assert arm.ttft
        assert arm.itl
        assert arm.e2e
        mine = [number for number, reply in enumerate(replies) if reply.variant == variant]
        assert sum(arm.e2e.counts) == len(mine) > 0
        assert sum(arm.ttft.counts) == len([number for number in mine if number % 2 == 0]) > 0
        assert sum(arm.itl.counts) > 0
        assert arm.e2e.total_s > 0
        for signal, histogram in (("ttft", arm.ttft), ("itl", arm.itl), ("e2e", arm.e2e)):
            assert list(histogram.counts) == await _page(gateway, experiment.name, variant, signal)
            assert len(histogram.counts) == len(histogram.bounds_s) + 1


async def test_a_paced_stream_is_in_the_buckets_of_its_pace(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    await gateway.chat(stream=True, act="paced", text="a b c d")
    control, treatment = await gateway.arms(experiment.name)
    assert control.itl
    assert treatment.itl
    # Pieces that came late on a busy machine are read together: their gaps still add up to the way.
    assert control.itl.total_s >= 0.8 * 3 * PACE_S
    slow = zip((*control.itl.bounds_s, math.inf), control.itl.counts, strict=True)
    assert any(count for bound, count in slow if bound > 0.8 * PACE_S)
    assert sum(treatment.itl.counts) == 0
