"""How long users of both arms wait, from a real agent whose gateway dies in between."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_core.drift.thresholds import Slo, Thresholds
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.distributions import ArmDistributions, Distributions, Objective
from quantdeck_core.protocol.requests import CreateExperiment
from support.deck import Deck, changed, deck
from support.traffic import traffic
from support.waiting import POLL_S

SLO = Slo(ttft_p95_ms=400.0)


@contextlib.asynccontextmanager
async def viewer(host: Deck) -> AsyncIterator[CanaryClient]:
    client = CanaryClient("test", httpx.AsyncHTTPTransport(uds=str(host.agent.socket("viewer"))))
    try:
        yield client
    finally:
        await client.close()


def _answered(arm: ArmDistributions | None, cut: str) -> bool:
    """With streams and without: what is between two events is counted before the stream ends, so maybe not lately."""
    if arm is None or arm.cut != cut:
        return False
    streams, answers = arm.ttft.recent.total, arm.e2e.recent.total
    return 0 < streams < answers and arm.itl.recent.total > 0


async def _until(client: CanaryClient, cut: str) -> Distributions:
    """Once the agent has read that both arms answered lately, and why it has not read more."""
    async with asyncio.timeout(20):
        while True:
            found = await client.distributions("e")
            if _answered(found.control, cut) and _answered(found.treatment, cut):
                return found
            await asyncio.sleep(POLL_S)


async def test_both_arms_and_a_gateway_that_counts_anew(demo_models: Path) -> None:
    async with deck(demo_models) as host, viewer(host) as client:
        await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        wish = CreateExperiment(
            request_id="c", name="e", control="control", treatment="treatment", thresholds=Thresholds(slo=SLO)
        )
        await host.client.create_experiment(wish)
        await host.weight(5000)
        first = await client.distributions("e")
        assert (first.experiment, first.objectives) == ("e", (Objective(signal="ttft", p95_ms=400, of="experiment"),))
        users = [f"user-{number}" for number in range(8)]
        async with traffic(host.gateway, users):
            found = await _until(client, "agent")
        assert found.age_s is not None
        assert found.age_s < 5
        assert found.control
        assert found.treatment
        for arm in (found.control, found.treatment):
            assert 0 < arm.e2e.recent.total <= arm.e2e.whole.total
            assert arm.ttft.recent.total < arm.e2e.recent.total  # only every other answer is a stream
            assert arm.itl.recent.percentiles
            assert arm.covers_s > 0

        gateway = (await host.client.status()).gateway
        assert gateway
        assert gateway.pid
        os.kill(gateway.pid, signal.SIGKILL)
        await host.when(lambda status: status.gateway.running and status.gateway.pid != gateway.pid)
        async with traffic(host.gateway, users):
            again = await _until(client, "gateway")
        assert again.control
        assert again.control.e2e.whole.total < found.control.e2e.whole.total + again.control.e2e.recent.total
        with pytest.raises(RemoteError, match="No experiment is called 'x' here") as caught:
            await client.distributions("x")
        assert caught.value.status == 404
