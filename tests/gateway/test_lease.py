"""The lease: who judges an experiment, and what happens when nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import (
    Arm,
    ExperimentRoute,
    GatewayConfig,
    GatewayStatus,
    LeaseStatus,
    Replica,
    RouteStatus,
)
from quantdeck_gateway.ejection import probe_failed, probe_passed
from quantdeck_gateway.lease import LONGEST_LOOK_S, Lease, Leases
from quantdeck_gateway.table import Route, RoutingTable

times = st.lists(st.floats(0, 2.9), max_size=40)


# The lease itself


def test_without_a_lease_nothing_ever_lapses() -> None:
    leases = Leases(None, 0.0)
    leases.know(["e"])
    for now in range(10_000):
        assert leases.look(float(now)) == frozenset()
    assert leases.status("e") is None


@given(times)
def test_it_lapses_when_it_was_not_renewed_for_its_seconds(gaps: list[float]) -> None:
    leases, passed = Leases(10.0, 100.0), 0.0
    leases.know(["e"])
    for gap in gaps:
        passed += gap
        lapsed = leases.look(100.0 + passed)
        assert lapsed == leases.lapsed()
        if abs(passed - 10.0) > 1e-6:
            assert ("e" in lapsed) == (passed >= 10.0)
    status = leases.status("e")
    assert status
    assert status.lapsed == (leases.lapsed() == {"e"})
    assert status.left_s == pytest.approx(max(0.0, 10.0 - passed), abs=0.01)


def test_a_renewal_ends_the_lapse_and_says_how_long_it_was() -> None:
    leases = Leases(10.0, 0.0)
    leases.know(["e", "f"])
    for now in range(1, 26):
        if now % 5 == 0:
            assert leases.renew(["f", "unknown"], float(now)) == {}
        assert leases.look(float(now)) == ({"e"} if now >= 10 else set())
    ended = leases.renew(["e"], 25.0)
    assert ended == {"e": 15.0}
    assert leases.look(34.0 - LONGEST_LOOK_S) == frozenset()
    assert leases.status("e", ended) == LeaseStatus(left_s=7.0, ended_s=15.0)
    assert leases.status("unknown") is None


def test_half_way_it_is_late() -> None:
    leases = Leases(4.0, 0.0)
    leases.know(["e"])
    leases.look(1.0)
    assert leases.late() == frozenset()
    leases.look(2.0)
    assert (leases.late(), leases.lapsed()) == ({"e"}, frozenset())
    leases.look(4.0)
    assert (leases.late(), leases.lapsed()) == ({"e"}, {"e"})
    leases.renew(["e"], 4.0)
    assert leases.late() == frozenset()
    assert Leases(None, 0.0).late() == frozenset()


def test_renewing_what_was_never_heard_of_makes_no_lease() -> None:
    leases = Leases(10.0, 0.0)
    assert leases.renew(["e"], 1.0) == {}
    assert leases.status("e") is None


def test_a_gateway_that_was_stopped_itself_does_not_blame_the_judge() -> None:
    leases = Leases(10.0, 0.0)
    leases.know(["e"])
    assert leases.look(3600.0) == frozenset()


def test_a_clock_that_goes_back_changes_nothing() -> None:
    leases = Leases(4.0, 100.0)
    leases.know(["e"])
    leases.look(102.0)
    leases.look(50.0)
    assert leases.look(51.0) == frozenset()
    assert leases.look(52.5) == {"e"}
    assert Lease(1.0).aged(-5.0) == Lease(1.0)


def test_an_experiment_that_leaves_and_comes_back_keeps_its_lapse() -> None:
    leases = Leases(2.0, 0.0)
    leases.know(["e"])
    assert leases.look(2.0) == {"e"}
    leases.know(["e", "f"])
    assert leases.lapsed() == {"e"}


# What a lapse does to a route


def _table(weight_bp: int = 5000, **more: object) -> tuple[RoutingTable, Route]:
    arms = (Arm(replicas=(Replica(name=name, url="http://h:1"),)) for name in ("c", "t"))
    route = ExperimentRoute(name="e", served_name="m", weight_bp=weight_bp, control=next(arms), treatment=next(arms))
    table = RoutingTable()
    table.apply(GatewayConfig(revision=1, experiments=(msgspec.structs.replace(route, **more),)))
    return table, table.live[0]


def test_a_lapse_takes_everyone_to_a_healthy_control_and_a_renewal_brings_them_back() -> None:
    table, route = _table()
    table.set_lapsed({"e"})
    assert (route.weight_bp, route.status().weight_bp, route.status().effective_weight_bp) == (0, 5000, 0)
    table.set_lapsed(())
    assert route.weight_bp == 5000


def test_nobody_is_moved_to_a_control_that_does_not_answer() -> None:
    table, route = _table()
    arm, control = route.control, route.control.replicas[0]
    arm.note(control, probe_failed(control.standing, "it is gone", 0.0))
    table.set_lapsed({"e"})
    assert route.weight_bp == 5000
    arm.note(control, probe_passed(control.standing, 1.0))
    table.tick()
    assert route.weight_bp == 0
    arm.note(control, probe_failed(control.standing, "it is gone", 2.0))
    table.tick()
    assert route.weight_bp == 5000


def test_a_control_without_replicas_is_not_healthy() -> None:
    table, route = _table(control=Arm())
    table.set_lapsed({"e"})
    assert route.weight_bp == 5000


def test_a_config_that_comes_during_a_lapse_is_held_too() -> None:
    table, route = _table()
    table.set_lapsed({"e"})
    lower = msgspec.structs.replace(route.config, weight_bp=300)
    table.apply(GatewayConfig(revision=2, experiments=(lower,)))
    assert (route.weight_bp, route.config.weight_bp) == (0, 300)
    table.set_lapsed(())
    assert route.weight_bp == 300


def test_pins_to_the_treatment_do_not_hold_during_a_lapse() -> None:
    table, route = _table(pinned={"ana": "treatment"})
    assert route.assignment
    table.set_lapsed({"e"})
    assert route.assignment is None
    table.set_lapsed(())
    assert route.assignment


# A real gateway with a short lease

LEASE_S = 2.0
USERS = [f"u-{number}" for number in range(20)]


@pytest.fixture
async def leased(tmp_path: Path, experiment: Experiment) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path, "--lease-seconds", str(LEASE_S))
    await gateway.serve(experiment.route(10_000))
    yield gateway
    assert gateway.end() == 0


async def route_of(gateway: Gateway) -> RouteStatus:
    return (await gateway.status()).routes[0]


async def renew(gateway: Gateway, *names: str) -> RouteStatus:
    reply = await gateway.tell("POST", "/v1/lease", msgspec.json.encode({"experiments": names}))
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body, type=GatewayStatus).routes[0]


async def until_lapsed(gateway: Gateway) -> RouteStatus:
    async with asyncio.timeout(15):
        while not ((route := await route_of(gateway)).lease and route.lease.lapsed):
            await asyncio.sleep(0.05)
    return route


async def variants(gateway: Gateway) -> set[str]:
    return {(await gateway.chat(user=user)).variant for user in USERS}


async def test_without_renewals_the_treatment_goes_to_0_and_its_weight_may_only_fall(
    leased: Gateway, experiment: Experiment
) -> None:
    route = await route_of(leased)
    assert route.lease
    assert 0 < route.lease.left_s <= LEASE_S
    assert await variants(leased) == {"treatment"}
    route = await until_lapsed(leased)
    assert (route.weight_bp, route.effective_weight_bp) == (10_000, 0)
    assert await variants(leased) == {"control"}

    lower = experiment.route(5000)
    revision = await leased.serve(lower)
    reply = await leased.put(GatewayConfig(revision=revision + 1, experiments=(experiment.route(5001),)))
    assert reply.status == 409
    assert b"Nobody judges" in reply.body
    weight = {"experiment": experiment.name, "weight_bp": 5001}
    assert (await leased.tell("POST", "/v1/weight", msgspec.json.encode(weight))).status == 409
    assert await variants(leased) == {"control"}

    assert (await renew(leased, "another")).effective_weight_bp == 0
    route = await renew(leased, experiment.name)
    assert route.effective_weight_bp == 5000
    assert route.lease
    assert route.lease.ended_s > 0
    route = await renew(leased, experiment.name)
    assert route.lease == LeaseStatus(left_s=LEASE_S)
    assert await variants(leased) == {"control", "treatment"}
    assert (await leased.tell("POST", "/v1/weight", msgspec.json.encode(weight))).status == 200


async def test_renewals_hold_the_weight(leased: Gateway, experiment: Experiment) -> None:
    end = asyncio.get_running_loop().time() + LEASE_S + 2
    while asyncio.get_running_loop().time() < end:
        route = await renew(leased, experiment.name)
        assert route.effective_weight_bp == 10_000
        assert route.lease == LeaseStatus(left_s=LEASE_S)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"experiments":"e"}', b'{"experiments":[],"x":1}'])
async def test_what_renews_nothing(leased: Gateway, body: bytes) -> None:
    assert (await leased.tell("POST", "/v1/lease", body)).status == 400
