"""Fault 23: four times the rate that an arm can serve. The lesson's incident is what happens without this."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from gateway.lab.process import Gateway, rss_mib
from gateway.lab.slots import Crowd, SlotEngine, goodput, p99
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, Limits, Replica
from support.waiting import eventually

SLOTS, SECONDS = 4, 0.05
CAPACITY = SLOTS / SECONDS
LIMITS = Limits(max_in_flight=SLOTS, max_queue=256, queue_s=1.0)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("gw"))
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text()


@pytest.fixture
async def engine() -> AsyncIterator[SlotEngine]:
    engine = SlotEngine(SLOTS, SECONDS)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def other_engine() -> AsyncIterator[SlotEngine]:
    engine = SlotEngine(SLOTS, SECONDS)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def crowd(gateway: Gateway) -> AsyncIterator[Crowd]:
    crowd = Crowd(gateway.port)
    yield crowd
    await crowd.leave()


def route(
    name: str, engine: SlotEngine, limits: Limits, treatment: SlotEngine | None = None, weight_bp: int = 0
) -> ExperimentRoute:
    def arm(engine: SlotEngine) -> Arm:
        return Arm(replicas=(Replica(name="e", url=engine.url),), limits=limits)

    return ExperimentRoute(
        name=name,
        served_name=name,
        weight_bp=weight_bp,
        control=arm(engine),
        treatment=Arm() if treatment is None else arm(treatment),
    )


async def test_four_times_too_much(gateway: Gateway, engine: SlotEngine, crowd: Crowd) -> None:
    await gateway.serve(route("overload", engine, LIMITS))
    peak = goodput(await crowd.stay(SLOTS, 3.0))
    await crowd.come(4 * CAPACITY, 1.0)
    before = rss_mib(gateway.process.pid)
    outcomes = await crowd.come(4 * CAPACITY, 4.0)
    grown = rss_mib(gateway.process.pid) - before
    shed = [one for one in outcomes if one.status == 429]
    assert {one.status for one in outcomes} == {200, 429}
    assert goodput(outcomes, since=0.5) >= 0.9 * peak
    assert len(shed) >= len(outcomes) / 2
    assert all(1 <= int(one.retry_after or 0) <= 60 for one in shed)
    assert p99([one.took for one in shed]) <= 0.1
    assert max(one.took for one in outcomes) <= LIMITS.queue_s + 1.0  # nobody waits for nothing
    assert grown <= 8.0
    assert engine.most_waiting == 0  # no queue but ours
    control, _ = await gateway.arms("overload")
    assert (control.in_flight, control.overload.waiting, control.overload.rung) == (0, 0, 4)
    assert control.overload.shed_normal >= len(shed)
    assert control.errors == 0  # the engine did nothing wrong


async def test_the_important_are_answered(gateway: Gateway, engine: SlotEngine) -> None:
    await gateway.serve(route("important", engine, LIMITS))
    crowds = [Crowd(gateway.port, priority=name, prompt="x") for name in ("normal", "low")]
    await crowds[0].stay(SLOTS, 0.5)
    normal, low = await asyncio.gather(*(crowd.come(0.8 * CAPACITY, 3.0) for crowd in crowds))
    for crowd in crowds:
        await crowd.leave()
    answered = [sum(one.status == 200 for one in group) / len(group) for group in (normal, low)]
    assert answered[0] >= 0.9
    assert answered[1] <= 0.6


async def test_the_queue_of_an_engine_moves_to_the_gateway(gateway: Gateway, engine: SlotEngine, crowd: Crowd) -> None:
    # The limit was set far too high: only the engine knows what it can do.
    limits = Limits(max_in_flight=10 * SLOTS, max_queue=256, queue_s=1.0, cap_tokens=8)
    await gateway.serve(route("truth", engine, limits))
    await crowd.come(2 * CAPACITY, 5.0)
    assert engine.most_waiting > 0
    engine.most_waiting = 0
    outcomes = await crowd.come(2 * CAPACITY, 4.0)
    assert engine.most_waiting <= 5 * SLOTS  # of 36 without
    assert any(one.degraded == "cap" for one in outcomes)
    assert any(msgspec.json.decode(body).get("max_tokens") == 8 for body in engine.bodies)


async def test_users_are_spilled_to_an_arm_with_room(
    gateway: Gateway, engine: SlotEngine, other_engine: SlotEngine, crowd: Crowd
) -> None:
    limits = msgspec.structs.replace(LIMITS, spill=True, cap_tokens=8, max_queue=16)
    await gateway.serve(route("spill", engine, limits, other_engine, weight_bp=1))
    outcomes = await crowd.come(1.5 * CAPACITY, 3.0)
    spilled = [one for one in outcomes if one.variant == "treatment"]
    assert spilled
    assert {one.degraded for one in spilled} <= {"spill", "cap, spill"}
    assert goodput(outcomes, since=0.5) > 1.1 * CAPACITY
    control, treatment = await gateway.arms("spill")
    assert control.overload.spilled == len(spilled) == treatment.requests


async def test_nobody_is_spilled_to_a_treatment_that_is_to_have_nobody(
    gateway: Gateway, engine: SlotEngine, other_engine: SlotEngine, crowd: Crowd
) -> None:
    limits = msgspec.structs.replace(LIMITS, spill=True, max_queue=16)
    await gateway.serve(route("latched", engine, limits, other_engine, weight_bp=0))
    outcomes = await crowd.come(3 * CAPACITY, 2.0)
    assert {one.status for one in outcomes} == {200, 429}
    assert other_engine.bodies == []


async def test_who_leaves_the_queue_makes_room(gateway: Gateway, engine: SlotEngine) -> None:
    engine.seconds = 0.5
    await gateway.serve(route("leaving", engine, Limits(max_in_flight=1, max_queue=1, queue_s=30.0)))
    async with gateway.connect() as first, gateway.connect() as third:
        first.send("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
        await eventually(lambda: engine.running == 1)
        async with gateway.connect() as second:
            second.send("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
            await gateway.until_counters("leaving", lambda control: control.overload.waiting == 1)
        await gateway.until_counters("leaving", lambda control: control.overload.waiting == 0)
        assert (await third.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})).status == 200
        assert (await first.reply()).status == 200
    control = await gateway.until_counters("leaving", lambda control: control.in_flight == 0)
    assert (control.cancelled, len(engine.bodies)) == (1, 2)
