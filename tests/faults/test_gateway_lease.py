"""Fault 47: nobody judges. A real agent, its gateway and two engines; and what is done to the gateway by hand."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from quantdeck_core.errors import RemoteError
from quantdeck_core.hashing import is_treated
from quantdeck_core.protocol.gateway import GatewayConfig, RouteStatus
from support.deck import Deck, changed, deck
from support.processes import session, signal_all

LEASE_S = 3
WEIGHT_BP = 5000
USERS = [f"user-{number}" for number in range(20)]
TREATED = {user for user in USERS if is_treated("e", user, WEIGHT_BP)}


@contextlib.asynccontextmanager
async def leased(models: Path) -> AsyncIterator[Deck]:
    async with deck(models, "--lease-seconds", str(LEASE_S)) as host:
        await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", WEIGHT_BP)
        yield host


async def route_when(host: Deck, condition: Callable[[RouteStatus], object]) -> RouteStatus:
    async with asyncio.timeout(20):
        while not condition(route := (await host.gateway_status()).routes[0]):
            await asyncio.sleep(0.05)
    return route


def lapsed(route: RouteStatus) -> bool:
    assert route.lease
    return route.lease.lapsed


async def post(host: Deck, path: str, **ask: object) -> httpx.Response:
    """As somebody with curl does it."""
    transport = httpx.AsyncHTTPTransport(uds=str(host.agent.folder / "run" / "gateway.sock"))
    async with httpx.AsyncClient(base_url="http://gateway", transport=transport) as http:
        return await http.post(path, json=ask)


async def treated(url: str, users: list[str] = USERS) -> set[str]:
    """Users whom the treatment answers."""
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:

        async def variant(user: str) -> str:
            body = {"model": "assistant", "prompt": "the", "max_tokens": 2}
            response = await http.post("/v1/completions", json=body, headers={"x-user-id": user})
            assert response.status_code == 200, response.text
            return str(response.headers["x-quantdeck-variant"])

        return {user for user in users if await variant(user) == "treatment"}


async def test_an_agent_that_is_dead_takes_the_treatment_to_0_until_one_judges_again(demo_models: Path) -> None:
    async with leased(demo_models) as host:
        url = host.gateway
        assert await treated(url) == TREATED
        host.agent.kill()
        route = await route_when(host, lapsed)
        assert (route.weight_bp, route.effective_weight_bp) == (WEIGHT_BP, 0)
        assert await treated(url) == set()

        # Weights may only fall meanwhile.
        assert (await post(host, "/v1/weight", experiment="e", weight_bp=WEIGHT_BP + 1)).status_code == 409
        config = msgspec.json.decode((host.agent.folder / "state" / "gateway.json").read_bytes(), type=GatewayConfig)
        assert config.experiments[0].weight_bp == WEIGHT_BP

        await host.agent.start()
        route = await route_when(host, lambda route: not lapsed(route))
        assert route.effective_weight_bp == WEIGHT_BP
        assert await treated(url) == TREATED
        status = await host.when(lambda status: any("nobody judged it" in alarm.text for alarm in status.alarms))
        assert status.experiments[0].state.weight_bp == WEIGHT_BP
        await host.when(lambda status: any(line.kind == "lease" for line in status.experiments[0].timeline))


async def test_an_agent_that_is_stopped_judges_nothing_either(demo_models: Path) -> None:
    async with leased(demo_models) as host:
        url, process = host.gateway, host.agent.process
        assert process
        process.send_signal(signal.SIGSTOP)
        try:
            await route_when(host, lapsed)
            assert await treated(url) == set()
        finally:
            process.send_signal(signal.SIGCONT)
        await route_when(host, lambda route: not lapsed(route))
        assert await treated(url) == TREATED


async def test_nobody_is_moved_to_a_control_that_is_dead_too(demo_models: Path) -> None:
    async with leased(demo_models) as host:
        url, engine = host.gateway, await host.engine("control")
        assert engine.pid
        host.agent.kill()
        signal_all(session(engine.pid), signal.SIGKILL)
        # Nobody asks the control anything meanwhile: the gateway finds out by itself before it needs it.
        await route_when(host, lambda route: route.control.replicas[0].ejected)
        await route_when(host, lambda route: lapsed(route) and route.effective_weight_bp == WEIGHT_BP)
        assert await treated(url, sorted(TREATED)) == TREATED


async def test_an_agent_that_has_lost_its_state_does_not_renew_what_it_does_not_know(demo_models: Path) -> None:
    async with leased(demo_models) as host:
        listen = host.gateway.removeprefix("http://")
        host.agent.kill()
        host.agent.forget()
        host.agent.arguments = ("--gateway", listen, "--lease-seconds", str(LEASE_S))
        await host.agent.start()
        await host.when(lambda status: status.gateway and status.gateway.running)
        await route_when(host, lapsed)
        assert await treated(f"http://{listen}") == set()


async def test_a_rollback_is_latched_on_the_gateway_and_clearing_it_lifts_the_latch(demo_models: Path) -> None:
    async with leased(demo_models) as host:
        await host.roll_back("it loops")
        route = (await host.gateway_status()).routes[0]
        assert (route.latched, route.weight_bp) == (True, 0)
        assert (await post(host, "/v1/weight", experiment="e", weight_bp=1)).status_code == 409
        await host.clear()
        route = (await host.gateway_status()).routes[0]
        assert (route.latched, route.weight_bp) == (False, 500)


async def test_a_latch_that_is_closed_on_the_gateway_is_a_rollback(demo_models: Path) -> None:
    async with leased(demo_models) as host:
        assert (await post(host, "/v1/latch", experiment="e")).status_code == 200
        await host.when(lambda status: status.experiments[0].state.latched)
        with pytest.raises(RemoteError, match="rolled back"):
            await host.weight(1000)
        await host.clear()
        route = (await host.gateway_status()).routes[0]
        assert (route.latched, route.weight_bp) == (False, 500)

        # Also while no agent was there to see it.
        host.agent.kill()
        assert (await post(host, "/v1/latch", experiment="e")).status_code == 200
        await host.agent.start()
        await host.when(lambda status: status.experiments and status.experiments[0].state.latched)
        assert (await host.gateway_status()).routes[0].latched


async def test_another_change_on_the_gateway_is_undone_and_reported(demo_models: Path) -> None:
    async with leased(demo_models) as host:
        assert (await post(host, "/v1/weight", experiment="e", weight_bp=100)).status_code == 200
        await host.when(lambda status: any("changed the gateway itself" in alarm.text for alarm in status.alarms))
        await route_when(host, lambda route: route.weight_bp == WEIGHT_BP)
