"""An arm's queue, rung and window together, on a clock that the test turns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from quantdeck_core.protocol.gateway import Limits, Priority
from quantdeck_gateway.admission import Admit, Rung, Shed, Wait
from quantdeck_gateway.ladder import CALM_S
from quantdeck_gateway.overload import Overload
from quantdeck_gateway.pressure import Reading

SIZE = 1000


@dataclass(eq=False)
class Slots:
    """An arm's counters; its engines are the test."""

    in_flight: int = 0
    open: int = 0


@dataclass(eq=False)
class Client:
    arm: Slots
    since: float
    priority: Priority = "normal"
    size: int = SIZE
    started: bool = False
    refused: int = 0

    def start(self) -> None:
        self.started = True
        self.arm.in_flight += 1

    def refuse(self, retry_after: int) -> None:
        self.refused = retry_after


@dataclass(eq=False)
class Engine:
    says: Reading | None
    asked: int = 0

    async def pressure(self) -> Reading | None:
        self.asked += 1
        return self.says


@dataclass
class Lab:
    """An arm under overload."""

    limits: Limits
    arm: Slots = field(default_factory=Slots)
    spill_open: bool = False
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.overload = Overload(self.arm, self.limits, lambda: self.now)

    def arrive(self, priority: Priority = "normal") -> Client:
        client = Client(self.arm, self.now, priority)
        decision = self.overload.arrive(priority, SIZE, self.spill_open, self.now)
        if isinstance(decision, Admit):
            client.start()
        elif isinstance(decision, Wait):
            self.overload.queue(client, decision.displaces, self.now)
        else:
            assert isinstance(decision, Shed)
            client.refuse(decision.retry_after)
        return client

    async def end(self, count: int = 1) -> None:
        """Answers end."""
        self.arm.in_flight -= count
        self.overload.wake()
        await asyncio.sleep(0)

    def second(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.overload.second(self.now, 0, 0.0, self.spill_open)


@pytest.fixture
def lab() -> Lab:
    return Lab(Limits(max_in_flight=2, max_queue=8, queue_s=10.0, cap_tokens=64))


async def test_with_room_a_compare_is_enough(lab: Lab) -> None:
    assert lab.arm.open == 2
    lab.arrive()
    lab.arrive()
    assert lab.arm.open == 2
    lab.arrive()
    assert lab.arm.open == 0  # nobody overtakes it
    await lab.end()
    assert lab.arm.open == 2


async def test_places_go_to_the_important_first_and_then_to_who_came_first(lab: Lab) -> None:
    lab.arrive()
    lab.arrive()
    low, first, second, high = lab.arrive("low"), lab.arrive(), lab.arrive(), lab.arrive("high")
    for one in (high, first, second, low):
        assert not one.started
        await lab.end()
        assert one.started
    assert lab.overload.waiting == 0


async def test_many_places_at_once_are_filled_at_once(lab: Lab) -> None:
    clients = [lab.arrive() for _ in range(6)]
    await lab.end(2)
    assert [client.started for client in clients] == [True] * 4 + [False] * 2


async def test_who_leaves_is_taken_out(lab: Lab) -> None:
    lab.arrive()
    lab.arrive()
    gone, stays = lab.arrive(), lab.arrive()
    lab.overload.leave(gone)
    await lab.end()
    assert (gone.started, stays.started, lab.overload.waiting, lab.arm.open) == (False, True, 0, 2)


async def test_who_overstays_is_refused(lab: Lab) -> None:
    lab.arrive()
    lab.arrive()
    late = lab.arrive()
    lab.now += 10.1
    await lab.end()
    assert (late.started, late.refused > 0, lab.overload.shed) == (False, True, [0, 1, 0])
    lab.arm.in_flight = 2
    assert lab.arrive().refused  # for a while the queue leads nowhere
    lab.now += 3
    overslept = lab.arrive()
    assert not overslept.refused
    lab.second(10.1)
    assert (overslept.refused > 0, lab.overload.rung) == (True, Rung.SHED)


async def test_the_youngest_low_one_goes_for_a_high_one(lab: Lab) -> None:
    lab.arrive()
    lab.arrive()
    lows = [lab.arrive("low") for _ in range(4)]
    assert lab.arrive("low").refused
    for _ in range(4):
        lab.arrive("high")
    high = lab.arrive("high")
    assert not high.refused
    assert [low.refused > 0 for low in lows] == [False, False, False, True]
    assert (lab.overload.waiting, lab.overload.shed) == (8, [0, 0, 2])


async def test_while_the_normal_are_shed_the_low_are_too(lab: Lab) -> None:
    lab.arrive()
    lab.arrive()
    for _ in range(6):
        lab.arrive()
    assert lab.arrive().refused
    await lab.end(2)
    await lab.end(2)
    assert lab.overload.waiting == 2
    assert lab.arrive("low").refused
    lab.now += 3
    assert not lab.arrive("low").refused


async def test_up_the_ladder_and_down_again(lab: Lab) -> None:
    lab.spill_open = True
    lab.overload.apply(Limits(max_in_flight=2, max_queue=8, queue_s=60.0, cap_tokens=64, spill=True))
    rungs = []
    for _ in range(8):
        lab.arrive()
        rungs.append(int(lab.overload.rung))
    assert rungs == [0, 0, 1, 1, 2, 2, 3, 3]
    assert lab.overload.spilled == 2
    lab.spill_open = False
    for _ in range(4):
        lab.arrive()
    assert lab.overload.rung is Rung.SHED
    lab.arm.in_flight = 0
    while lab.overload.waiting:
        lab.overload.wake()
        await asyncio.sleep(0)
        lab.arm.in_flight = 0
    assert lab.overload.cap == 64
    assert lab.arm.open == 0  # each is capped
    down = []
    for _ in range(int(4 * CALM_S) + 1):
        lab.second()
        down.append(int(lab.overload.rung))
    assert sorted(down, reverse=True) == down
    assert down[-1] == 0
    assert lab.arm.open == 2
    assert lab.overload.cap is None


async def test_full_engines_get_less_and_later_all_of_it_again(lab: Lab) -> None:
    lab.overload.apply(Limits(max_in_flight=100, cap_tokens=64))
    lab.arm.in_flight = 60
    full, silent = Engine(Reading(waiting=20)), Engine(None)
    for _ in range(3):
        assert lab.overload.second(lab.now, 0, 0.0, False)
        lab.overload.ask([full, silent], lab.now)
        await asyncio.sleep(0.01)
        lab.now += 1
    assert lab.overload.second(lab.now, 0, 0.0, False)
    assert (full.asked, silent.asked) == (3, 1)
    assert lab.overload.rung is Rung.CAP
    assert lab.overload.cap == 64
    assert isinstance(lab.overload.arrive("normal", SIZE, False, lab.now), Wait)  # 60 of 100 are in flight
    lab.arm.in_flight = 10
    for _ in range(40):
        lab.second()
    assert (lab.arm.open, lab.overload.rung) == (100, Rung.NORMAL)


async def test_other_limits_hold_for_those_who_wait(lab: Lab) -> None:
    waiting = [lab.arrive() for _ in range(5)][2:]
    lab.overload.apply(Limits(max_in_flight=4))
    await asyncio.sleep(0)
    assert [client.started for client in waiting] == [True, True, False]
