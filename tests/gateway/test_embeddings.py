"""Embeddings come from the control, whoever asks."""

from __future__ import annotations

import asyncio
import json

from msgspec import structs

from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import Limits

PATH = "/v1/embeddings"


async def test_everybody_is_on_the_control(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route(10_000))
    for user in ("", "a", "b", "c"):
        body = json.dumps({"input": "x", "user": user}).encode()
        reply = await gateway.ask("POST", PATH, body, {"x-user-id": user} if user else {})
        assert (reply.status, reply.variant, reply.body) == (200, "control", experiment.control.body("fine"))
    assert [body for _, body in experiment.control.seen[:1]] == [b'{"input": "x", "user": ""}']
    assert experiment.control.seen[0][0].startswith(f"POST {PATH} HTTP/1.1\r\n")
    assert experiment.treatment.seen == []
    route = next(route for route in (await gateway.status()).routes if route.name == experiment.name)
    assert (route.control.requests, route.treatment.requests, route.unkeyed) == (4, 0, 0)


async def test_they_are_counted_and_not_judged(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    feed = await gateway.listen()
    await gateway.ask("POST", PATH, b'{"text":"vector"}', {"x-user-id": "u"})
    await gateway.ask("POST", PATH, b'{"act":"fail"}', {"x-user-id": "u"})
    await gateway.serve(experiment.route(control=[]))
    assert (await gateway.ask("POST", PATH, b"{}", {"x-user-id": "u"})).status == 503
    await gateway.serve(experiment.route())
    await gateway.chat(text="the only answer")
    assert (await feed.next(experiment.name)).words == 3
    await feed.close()
    counters = (await gateway.arms(experiment.name))[0]
    assert (counters.requests, counters.errors, counters.in_flight) == (4, 2, 0)


async def test_the_model_names_the_experiment(gateway: Gateway, experiment: Experiment) -> None:
    other = Experiment(f"{experiment.name}-other", experiment.treatment, experiment.control)
    await gateway.serve(experiment.route(), other.route())
    for one in (experiment, other):
        reply = await gateway.ask("POST", PATH, json.dumps({"model": one.name}).encode(), {"x-user-id": "u"})
        assert reply.body == one.control.body("fine")
    reply = await gateway.ask("POST", PATH, b'{"model":"another"}')
    assert (reply.status, reply.error) == (404, "model_not_found")


async def test_they_wait_for_a_busy_control(gateway: Gateway, experiment: Experiment) -> None:
    """Where a question would be spilled to the other arm, or capped."""
    route = experiment.route(10_000)
    limits = Limits(max_in_flight=1, cap_tokens=5, spill=True)
    await gateway.serve(structs.replace(route, control=structs.replace(route.control, limits=limits)))
    body = b'{"act":"hang"}'
    first = asyncio.create_task(gateway.ask("POST", PATH, body, {"x-user-id": "u"}))
    await gateway.until_counters(experiment.name, lambda counters: counters.in_flight == 1)
    others = [asyncio.create_task(gateway.ask("POST", PATH, b'{"n":1}', {"x-user-id": "u"})) for _ in range(5)]
    await gateway.until_counters(experiment.name, lambda counters: counters.requests == 6)
    experiment.control.release.set()
    for reply in await asyncio.gather(first, *others):
        assert (reply.status, reply.variant) == (200, "control")
        assert "x-quantdeck-degraded" not in reply.headers
    assert [body for _, body in experiment.control.seen] == [body, *[b'{"n":1}'] * 5]
    assert experiment.treatment.seen == []
