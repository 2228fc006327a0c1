"""Engines that break, clients that leave, replicas that are taken away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gateway.lab.engine import Engine
from gateway.lab.process import Experiment, Gateway
from support.waiting import eventually


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    """Everybody is on the control."""
    await gateway.serve(experiment.route())
    return experiment


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that waits one second for an engine."""
    gateway = Gateway(tmp_path, "--first-byte-seconds", "1", "--between-events-seconds", "1")
    yield gateway
    assert gateway.end() == 0


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


async def test_an_idle_connection_that_the_engine_closed_is_not_used(
    gateway: Gateway, engines: Callable[..., Awaitable[Engine]], experiment: Experiment
) -> None:
    await gateway.serve(experiment.route())
    for _ in range(5):
        assert (await gateway.chat()).status == 200
        port = experiment.control.port
        await experiment.control.stop()
        experiment.control = await engines("control", port)
    assert (await gateway.chat()).status == 200


async def test_a_connection_is_not_used_again_after_a_stream(gateway: Gateway, served: Experiment) -> None:
    # llama.cpp announces keep-alive for a stream and closes after it: the next request would be lost on the way.
    assert (await gateway.chat(stream=True)).status == 200
    await gateway.chat()
    await gateway.chat()
    assert served.control.connections == 2


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


async def test_an_engines_own_error_is_passed_on_and_counted(gateway: Gateway, served: Experiment) -> None:
    reply = await gateway.chat(act="fail")
    assert (reply.status, reply.body) == (500, b"{}")
    assert (await gateway.arms(served.name))[0].errors == 1


async def test_engine_that_is_not_there(gateway: Gateway, experiment: Experiment, free_port: int) -> None:
    await gateway.serve(experiment.route(control=[Engine("gone", free_port)]))
    reply = await gateway.chat()
    assert (reply.status, reply.error, reply.variant) == (502, "engine_unreachable", "control")
    assert experiment.treatment.seen == []  # nobody is moved to the other variant


async def test_a_replica_that_refuses_is_passed_over_once(
    gateway: Gateway, experiment: Experiment, free_port: int
) -> None:
    await gateway.serve(experiment.route(control=[Engine("gone", free_port), experiment.control]))
    replies = [await gateway.chat(user=f"u-{number}") for number in range(20)]
    assert {reply.status for reply in replies} == {200}
    counters = (await gateway.arms(experiment.name))[0]
    assert (counters.requests, counters.errors, counters.in_flight) == (20, 0, 0)


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


async def test_engine_that_never_answers(hasty: Gateway, experiment: Experiment) -> None:
    await hasty.serve(experiment.route())
    reply = await hasty.chat(act="hang")
    assert (reply.status, reply.error) == (504, "engine_timeout")
    await eventually(lambda: experiment.control.cancelled == 1)


async def test_engine_that_stops_in_mid_stream(hasty: Gateway, experiment: Experiment) -> None:
    await hasty.serve(experiment.route())
    reply = await hasty.chat(act="hold", stream=True)
    assert reply.body.startswith(experiment.control.events("fine")[0])
    assert b'"engine_timeout"' in reply.body
    assert not reply.whole


async def test_removed_replica_finishes_what_it_began(gateway: Gateway, served: Experiment) -> None:
    async with gateway.connect() as client:
        client.send("POST", "/v1/completions", b'{"stream":true,"act":"hold"}', {"x-user-id": "u"})
        head = await client.head()
        await gateway.serve(served.route(control=[served.treatment]))
        counters = (await gateway.arms(served.name))[0]
        assert [(one.name, one.in_flight, one.removed) for one in counters.replicas] == [
            ("treatment", 0, False),
            ("control", 1, True),
        ]
        await gateway.chat()
        assert len(served.treatment.seen) == 1
        served.control.release.set()
        body = b""
        while data := await client.chunk():
            body += data
    assert (head.status, body) == (200, b"".join(served.control.events("fine")))
    counters = await gateway.until_counters(served.name, lambda counters: counters.in_flight == 0)
    assert [one.name for one in counters.replicas] == ["treatment"]
    await eventually(lambda: not served.control.open_connections)


async def test_removed_experiment_finishes_what_it_began(gateway: Gateway, served: Experiment) -> None:
    asked = asyncio.create_task(gateway.chat(act="hang"))
    await gateway.until_counters(served.name, lambda counters: counters.in_flight == 1)
    await gateway.serve()
    (replica,) = (await gateway.arms(served.name))[0].replicas
    assert (replica.in_flight, replica.removed) == (1, True)
    served.control.release.set()
    assert (await asked).status == 200
    assert (await gateway.status()).routes == ()
