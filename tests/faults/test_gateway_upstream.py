"""Faults 18 to 20 and what an engine's death or hang costs: upstreams that break off, clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.lab.engine import Engine
from gateway.lab.engine_process import EngineProcess
from gateway.lab.process import Experiment, Gateway
from quantdeck_gateway.ejection import FAILURES_IN_A_ROW
from support.waiting import eventually

USERS = 16


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    """Everybody is on the control."""
    await gateway.serve(experiment.route())
    return experiment


async def test_reset_before_the_first_byte_is_not_sent_again(gateway: Gateway, served: Experiment) -> None:
    reply = await gateway.chat(act="reset")
    assert (reply.status, reply.error, reply.variant) == (502, "engine_broke_off", "control")
    assert len(served.control.seen) == 1  # it may have begun to work on it
    control, treatment = await gateway.arms(served.name)
    assert (control.requests, control.errors, control.in_flight, treatment.requests) == (1, 1, 0, 0)


async def test_reset_on_a_reused_connection_is_not_sent_again(gateway: Gateway, served: Experiment) -> None:
    await gateway.chat()
    assert (await gateway.chat(act="reset")).status == 502
    assert (served.control.connections, len(served.control.seen)) == (1, 2)


async def test_reset_in_mid_stream(gateway: Gateway, served: Experiment) -> None:
    reply = await gateway.chat(stream=True, act="reset-mid", text="a b c")
    events = served.control.events("a b c")
    assert reply.status == 200
    assert reply.body.startswith(b"".join(events[:2]))
    rest = reply.body.removeprefix(b"".join(events[:2]))
    assert rest.strip().startswith(b'data: {"error":{"message":')
    assert b"[DONE]" not in reply.body
    assert not reply.whole  # also who ignores the event sees that it was cut
    assert (await gateway.arms(served.name))[0].errors == 1


@pytest.mark.parametrize("body", [{"act": "hang"}, {"act": "hold", "stream": True}])
async def test_client_leaves_and_the_engine_is_told(
    gateway: Gateway, served: Experiment, body: dict[str, object]
) -> None:
    asked = asyncio.create_task(gateway.chat(**body))  # type: ignore[arg-type]
    await eventually(lambda: len(served.control.seen) == 1)
    left = time.monotonic()
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asked
    await eventually(lambda: served.control.cancelled == 1)
    assert time.monotonic() - left < 1
    counters = await gateway.until_counters(served.name, lambda counters: counters.in_flight == 0)
    assert (counters.cancelled, counters.errors) == (1, 0)


async def test_client_leaves_while_the_engine_is_being_connected_to(gateway: Gateway, experiment: Experiment) -> None:
    # A full backlog: the kernel answers no further connection, as behind a firewall that drops them.
    with socket.socket() as full, contextlib.ExitStack() as fillers:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(address)
        await gateway.serve(experiment.route(control=[Engine("silent", address[1])]))
        asked = asyncio.create_task(gateway.chat())
        await gateway.until_counters(experiment.name, lambda counters: counters.in_flight == 1)
        left = time.monotonic()
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        counters = await gateway.until_counters(experiment.name, lambda counters: counters.in_flight == 0)
        assert time.monotonic() - left < 1
    assert (counters.cancelled, counters.errors, counters.replicas[0].failures) == (1, 0, 0)


@dataclass
class Load:
    """Users who ask one question after the other.

    Attributes:
        broken: when each request began that was not answered with 200, and how it ended.
    """

    gateway: Gateway
    answers: int = 0
    broken: list[tuple[float, str]] = field(default_factory=list)
    by_engine: dict[str, int] = field(default_factory=dict)

    async def user(self, name: str) -> None:
        while True:
            began = time.monotonic()
            try:
                reply = await self.gateway.chat(user=name)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.broken.append((began, repr(error)))
                continue
            if reply.status != 200:
                self.broken.append((began, f"{reply.status} {reply.error}"))
                continue
            self.answers += 1
            engine = json.loads(reply.body)["id"]
            self.by_engine[engine] = self.by_engine.get(engine, 0) + 1

    async def more(self, answers: int) -> None:
        wanted = self.answers + answers
        await eventually(lambda: self.answers >= wanted, 20, f"{answers} more answers; {self.broken[-3:]}")

    async def until_asked(self, engine: str) -> None:
        before = self.by_engine.get(engine, 0)
        await eventually(lambda: self.by_engine.get(engine, 0) > before + 10, 20, f"answers of {engine}")


@contextlib.asynccontextmanager
async def load(gateway: Gateway) -> AsyncIterator[Load]:
    seen = Load(gateway)
    users = [asyncio.create_task(seen.user(f"user-{number}")) for number in range(USERS)]
    try:
        yield seen
    finally:
        for user in users:
            user.cancel()
        await asyncio.gather(*users, return_exceptions=True)


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that is less patient than usual."""
    gateway = Gateway(tmp_path, "--first-byte-seconds", "2", "--probe-seconds", "1")
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text()


@pytest.fixture
def pair() -> Iterator[tuple[EngineProcess, EngineProcess]]:
    """Two replicas, each a process."""
    both = EngineProcess("first"), EngineProcess("second")
    yield both
    for one in both:
        one.go_on()
        one.kill()


async def ejected(gateway: Gateway, experiment: Experiment, name: str, *, is_so: bool = True) -> str:
    counters = await gateway.until_counters(
        experiment.name, lambda arm: any(one.name == name and bool(one.ejected) is is_so for one in arm.replicas)
    )
    return next(one.ejected for one in counters.replicas if one.name == name)


async def test_an_engine_killed_under_load_costs_what_it_had_in_flight(
    strict: Gateway, experiment: Experiment, pair: tuple[EngineProcess, EngineProcess]
) -> None:
    first, second = pair
    await strict.serve(experiment.route(control=[first, second]))
    async with load(strict) as users:
        await users.until_asked("first")
        await users.until_asked("second")
        first.kill()
        await ejected(strict, experiment, "first")
        await users.more(100)
        assert len(users.broken) <= USERS
        lost = len(users.broken)
        first.start()
        await ejected(strict, experiment, "first", is_so=False)
        await users.until_asked("first")
        assert len(users.broken) == lost, "nobody met it between its death and its return"
    assert {how for _, how in users.broken} <= {"502 engine_broke_off"}
    assert (await strict.arms(experiment.name))[1].requests == 0, "nobody is moved to the other variant"


async def test_an_engine_that_hangs_under_load_loses_its_users_and_gets_them_back(
    strict: Gateway, experiment: Experiment, pair: tuple[EngineProcess, EngineProcess]
) -> None:
    first, second = pair
    await strict.serve(experiment.route(control=[first, second]))
    async with load(strict) as users:
        await users.until_asked("first")
        await users.until_asked("second")
        first.hang()
        reason = await ejected(strict, experiment, "first")
        assert "silent" in reason or "probe" in reason
        out = time.monotonic()
        await users.more(200)
        first.go_on()
        await ejected(strict, experiment, "first", is_so=False)
        await users.until_asked("first")
    assert {how for _, how in users.broken} <= {"504 engine_timeout"}
    assert len(users.broken) <= USERS + FAILURES_IN_A_ROW
    assert [began for began, _ in users.broken if began > out] == [], "nobody is sent to it any more"


async def test_an_idle_engine_that_hangs_is_out_before_a_user_meets_it(
    strict: Gateway, experiment: Experiment, pair: tuple[EngineProcess, EngineProcess]
) -> None:
    first, second = pair
    await strict.serve(experiment.route(control=[first, second]))
    first.hang()
    await eventually(lambda: "first" in strict.log.read_text(), 30)
    reason = await ejected(strict, experiment, "first")
    assert reason == "its probe failed: it gave no token within 10 s"
    replies = [await strict.chat(user=f"u-{number}") for number in range(20)]
    assert {(reply.status, json.loads(reply.body)["id"]) for reply in replies} == {(200, "second")}
    first.go_on()
    await ejected(strict, experiment, "first", is_so=False)
