"""Which replicas of an arm get requests: those that fail lose them and get them back."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Awaitable, Callable, Iterator

import pytest

from gateway.lab.engine import Engine
from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import ReplicaStatus
from quantdeck_gateway.ejection import FAILURES_IN_A_ROW
from support.waiting import eventually

Engines = Callable[..., Awaitable[Engine]]


@pytest.fixture(scope="module")
def watchful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that asks an engine for a token after a second of silence."""
    gateway = Gateway(tmp_path_factory.mktemp("gw"), "--probe-seconds", "1", "--first-byte-seconds", "1")
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text()


@pytest.fixture
async def pair(experiment: Experiment, engines: Engines) -> tuple[Engine, Engine]:
    """Two replicas of the control."""
    return experiment.control, await engines("other")


async def standing(gateway: Gateway, experiment: Experiment, name: str = "control") -> ReplicaStatus:
    control = (await gateway.arms(experiment.name))[0]
    return next(one for one in control.replicas if one.name == name)


async def until(gateway: Gateway, experiment: Experiment, *, ejected: bool, name: str = "control") -> ReplicaStatus:
    await gateway.until_counters(
        experiment.name,
        lambda arm: any(one.name == name and bool(one.ejected) is ejected for one in arm.replicas),
    )
    return await standing(gateway, experiment, name)


async def fail(gateway: Gateway, engine: Engine, times: int = FAILURES_IN_A_ROW) -> None:
    """Have users find out that it is broken; without users of its own it would be asked by nobody."""
    engine.plays = "fail"
    seen = len(engine.seen)
    for number in range(1000):
        await gateway.chat(user=f"u-{number}")
        if len(engine.seen) >= seen + times:
            return
    raise AssertionError(f"{engine.arm} was not asked {times} times")


async def test_failures_in_a_row_take_it_out(
    gateway: Gateway, experiment: Experiment, pair: tuple[Engine, Engine]
) -> None:
    broken, other = pair
    await gateway.serve(experiment.route(control=[broken, other]))
    await fail(gateway, broken)
    status = await standing(gateway, experiment)
    assert status.ejected == "5 failures in a row, the last: it answered with 500"
    assert (status.requests, status.failures, status.ejections, status.in_flight) == (5, 5, 1, 0)
    before = len(other.seen)
    replies = [await gateway.chat(user=f"u-{number}") for number in range(30)]
    assert {reply.status for reply in replies} == {200}
    assert len(other.seen) - before == 30
    assert len(broken.seen) - len(broken.probes) == FAILURES_IN_A_ROW, "no user is sent to it any more"


async def test_it_comes_back_when_it_gives_a_token(
    gateway: Gateway, experiment: Experiment, pair: tuple[Engine, Engine]
) -> None:
    broken, other = pair
    await gateway.serve(experiment.route(control=[broken, other]))
    await fail(gateway, broken)
    await eventually(lambda: broken.probes)
    assert broken.probes[0] == {"model": experiment.name, "max_tokens": 1, "prompt": "ping"}
    assert (await standing(gateway, experiment)).ejected, "a probe that fails brings nobody back"
    broken.plays = ""
    status = await until(gateway, experiment, ejected=False)
    assert (status.ejections, status.failures) == (1, 5), "probes are no requests"
    before = len(broken.seen)
    for number in range(1000):
        await gateway.chat(user=f"u-{number}")
        if len(broken.seen) > before:
            break
    assert len(broken.seen) > before


async def test_a_success_between_failures_keeps_it_in(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    for _ in range(3):
        for _ in range(FAILURES_IN_A_ROW - 1):
            assert (await gateway.chat(act="fail")).status == 500
        assert (await gateway.chat()).status == 200
    status = await standing(gateway, experiment)
    assert (status.ejected, status.failures) == ("", 12)


@pytest.mark.parametrize("act", ["wrong", "busy"])
async def test_neither_a_clients_mistake_nor_too_much_work_counts(
    gateway: Gateway, experiment: Experiment, act: str
) -> None:
    await gateway.serve(experiment.route())
    for _ in range(2 * FAILURES_IN_A_ROW):
        await gateway.chat(act=act)
    status = await standing(gateway, experiment)
    assert (status.ejected, status.failures, status.requests) == ("", 0, 10)


async def test_clients_who_leave_do_not_count(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    for number in range(FAILURES_IN_A_ROW + 1):
        asked = asyncio.create_task(gateway.chat(act="hang"))
        await eventually(lambda wanted=number + 1: len(experiment.control.seen) == wanted)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
    await gateway.until_counters(experiment.name, lambda arm: arm.cancelled == FAILURES_IN_A_ROW + 1)
    status = await standing(gateway, experiment)
    assert (status.ejected, status.failures) == ("", 0)


async def test_with_no_replica_left_nobody_is_moved_to_the_other_variant(
    gateway: Gateway, experiment: Experiment
) -> None:
    await gateway.serve(experiment.route())
    await fail(gateway, experiment.control)
    reply = await gateway.chat()
    assert (reply.status, reply.error, reply.variant) == (503, "no_replica", "control")
    assert int(reply.headers["retry-after"]) >= 1
    assert b"out of rotation" in reply.body
    assert (await gateway.ask("GET", "/ready")).status == 503
    assert experiment.treatment.seen == []


async def test_deadlines_count(watchful: Gateway, experiment: Experiment) -> None:
    await watchful.serve(experiment.route())
    experiment.control.plays = "hang"
    replies = await asyncio.gather(*(watchful.chat(user=f"u-{number}") for number in range(FAILURES_IN_A_ROW)))
    assert {reply.status for reply in replies} == {504}
    status = await until(watchful, experiment, ejected=True)
    assert "silent" in status.ejected


async def test_an_idle_engine_is_asked_now_and_then_and_taken_out_where_it_fails(
    watchful: Gateway, experiment: Experiment
) -> None:
    await watchful.serve(experiment.route())
    await eventually(lambda: len(experiment.control.probes) >= 2)
    assert not (await standing(watchful, experiment)).ejected
    experiment.control.plays = "busy"
    status = await until(watchful, experiment, ejected=True)
    assert status.ejected == "its probe failed: it answered with 503"
    assert (status.requests, status.failures) == (0, 0)
    experiment.control.plays = ""
    await until(watchful, experiment, ejected=False)


async def test_an_engine_that_only_chats(watchful: Gateway, experiment: Experiment) -> None:
    experiment.control.paths = ("/v1/chat/completions",)
    await watchful.serve(experiment.route())
    await eventually(lambda: len(experiment.control.probes) >= 3)
    first, *rest = [(head.split()[1], b"messages" in body) for head, body in experiment.control.seen]
    assert first == ("/v1/completions", False)
    assert set(rest) == {("/v1/chat/completions", True)}, "it is remembered"
    assert not (await standing(watchful, experiment)).ejected


async def test_an_engine_that_wants_a_key_is_alive(watchful: Gateway, experiment: Experiment) -> None:
    experiment.control.plays = "wrong"
    await watchful.serve(experiment.route())
    await eventually(lambda: len(experiment.control.probes) >= 2)
    assert not (await standing(watchful, experiment)).ejected


async def test_a_replica_that_refuses_is_passed_over_once(
    gateway: Gateway, experiment: Experiment, free_port: int
) -> None:
    await gateway.serve(experiment.route(control=[Engine("gone", free_port), experiment.control]))
    replies = [await gateway.chat(user=f"u-{number}") for number in range(40)]
    assert {reply.status for reply in replies} == {200}
    counters = (await gateway.arms(experiment.name))[0]
    assert (counters.requests, counters.errors, counters.in_flight) == (40, 0, 0)
    assert counters.retries == FAILURES_IN_A_ROW, "then it is out"
    gone = await standing(gateway, experiment, "gone")
    assert (gone.failures, gone.ejections) == (5, 1)
    assert gone.ejected == "5 failures in a row, the last: it does not accept connections"


async def test_the_only_replica_is_tried_once_more(gateway: Gateway, experiment: Experiment, free_port: int) -> None:
    await gateway.serve(experiment.route(control=[Engine("gone", free_port)]))
    reply = await gateway.chat()
    assert (reply.status, reply.error, reply.variant) == (502, "engine_unreachable", "control")
    counters = (await gateway.arms(experiment.name))[0]
    assert (counters.retries, counters.requests, counters.replicas[0].failures) == (1, 1, 2)
    assert experiment.treatment.seen == [], "nobody is moved to the other variant"


async def test_a_removed_replica_is_asked_no_more(watchful: Gateway, experiment: Experiment) -> None:
    await watchful.serve(experiment.route())
    experiment.control.plays = "hang"
    await eventually(lambda: experiment.control.probes)
    await watchful.serve(experiment.route(control=[]))
    await eventually(lambda: not experiment.control.open_connections)
    assert experiment.control.cancelled == 1


async def test_metrics_of_replicas(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    await fail(gateway, experiment.control)
    text = (await gateway.ask("GET", "/metrics")).body.decode()
    labels = f'experiment="{experiment.name}",variant="control"'
    replica = f'{{{labels},replica="control"}}'
    for line in (
        f"retries_total{{{labels}}} 0",
        f"replica_requests_total{replica} 5",
        f"replica_failures_total{replica} 5",
        f"replica_ejections_total{replica} 1",
        f"replica_in_rotation{replica} 0",
        f"replica_in_flight{replica} 0",
    ):
        assert f"quantdeck_gateway_{line}\n" in text


async def test_a_gateway_out_of_files_holds_nothing_against_an_engine(
    watchful: Gateway, experiment: Experiment
) -> None:
    await watchful.serve(experiment.route())
    pid = watchful.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    async with watchful.connect() as client:
        await client.ask("GET", "/health")
        await eventually(lambda: not experiment.control.open_connections)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, before[1]))
        try:
            for _ in range(FAILURES_IN_A_ROW + 1):
                reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})
                assert (reply.status, reply.error) == (503, "gateway_exhausted")
                assert int(reply.headers["retry-after"]) >= 1
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert (await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": "u"})).status == 200
    status = await standing(watchful, experiment)
    assert (status.failures, status.ejections) == (0, 0)
