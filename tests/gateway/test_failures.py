"""Engines that break, clients that leave, replicas that are taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gateway.lab.engine import Engine
from gateway.lab.process import Experiment, Gateway
from quantdeck_gateway.limits import REST_S
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


async def test_a_connection_rests_after_a_stream_until_the_engine_has_kept_several(
    gateway: Gateway, served: Experiment
) -> None:
    assert (await gateway.chat(stream=True)).status == 200
    assert (await gateway.chat(stream=True)).status == 200
    assert served.control.connections == 2, "the first has not rested yet"
    await asyncio.gather(*(gateway.chat(stream=True, act="paced") for _ in range(8)))
    await asyncio.sleep(3 * REST_S)
    before = served.control.connections
    for _ in range(20):
        assert (await gateway.chat(stream=True)).status == 200
    assert served.control.connections == before, "none of them has rested"


async def test_another_engine_in_its_place_has_to_prove_it_anew(
    gateway: Gateway, engines: Callable[..., Awaitable[Engine]], experiment: Experiment
) -> None:
    await gateway.serve(experiment.route())
    await asyncio.gather(*(gateway.chat(stream=True, act="paced") for _ in range(8)))
    await asyncio.sleep(3 * REST_S)
    await experiment.control.stop()
    experiment.control = other = await engines("control", experiment.control.port)
    for number in range(1, 4):
        assert (await gateway.chat(stream=True, act="closes")).status == 200
        assert (await gateway.chat()).status == 200, "not sent to where it would be lost"
        assert other.connections >= number


async def test_an_engine_that_closes_after_a_stream_is_believed(gateway: Gateway, served: Experiment) -> None:
    # llama.cpp announces keep-alive for a stream and closes after it: the next request would be lost on the way.
    for number in range(1, 4):
        assert (await gateway.chat(stream=True, act="closes")).status == 200
        await eventually(lambda: not served.control.open_connections)
        assert served.control.connections == number
    assert (await gateway.chat(stream=True)).status == 200
    await eventually(lambda: not served.control.open_connections, seconds=REST_S / 2, what="the gateway closes it")


async def test_an_engines_own_error_is_passed_on_and_counted(gateway: Gateway, served: Experiment) -> None:
    reply = await gateway.chat(act="fail")
    assert (reply.status, reply.body) == (500, b"{}")
    assert (await gateway.arms(served.name))[0].errors == 1


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
