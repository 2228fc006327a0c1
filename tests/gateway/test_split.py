"""The split as clients see it."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from gateway.lab.process import Experiment, Gateway


def lesson(experiment: str, user: str, weight_bp: int) -> str:
    number = int(hashlib.sha256(f"{experiment}:{user}".encode()).hexdigest(), 16) % 10_000
    return "treatment" if number < weight_bp else "control"


@pytest.mark.parametrize("weight_bp", [0, 1000, 2900, 5000, 10_000])
async def test_500_users(gateway: Gateway, experiment: Experiment, weight_bp: int) -> None:
    revision = await gateway.serve(experiment.route(weight_bp))
    async with gateway.connect() as client:
        for number in range(500):
            user = f"user-{number}"
            reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": user})
            assert reply.variant == lesson(experiment.name, user, weight_bp)
            assert json.loads(reply.body)["id"] == reply.variant  # and that arm's engine answered
            assert reply.headers["x-quantdeck-revision"] == str(revision)


async def test_user_of_the_body_where_no_header_is(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route(5000))
    for number in range(40):
        user = f"nützer-{number}"
        reply = await gateway.ask("POST", "/v1/completions", json.dumps({"user": user}).encode())
        assert reply.variant == lesson(experiment.name, user, 5000)


async def test_header_goes_before_the_body(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route(5000))
    for number in range(20):
        body = json.dumps({"user": f"other-{number}"}).encode()
        reply = await gateway.ask("POST", "/v1/completions", body, {"x-user-id": f"u-{number}"})
        assert reply.variant == lesson(experiment.name, f"u-{number}", 5000)


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": 7}, {"user": None}])
async def test_nobody_goes_to_the_control_and_is_counted(
    gateway: Gateway, experiment: Experiment, body: dict[str, object]
) -> None:
    await gateway.serve(experiment.route(10_000))
    reply = await gateway.ask("POST", "/v1/completions", json.dumps(body).encode())
    assert reply.variant == "control"
    (route,) = (route for route in (await gateway.status()).routes if route.name == experiment.name)
    assert route.unkeyed == 1


async def test_model_chooses_among_experiments(gateway: Gateway, experiment: Experiment) -> None:
    route = experiment.route()
    other = Experiment(f"{experiment.name}-b", experiment.treatment, experiment.control)
    await gateway.serve(route, other.route())
    assert json.loads((await gateway.chat(model=route.name)).body)["id"] == "control"
    assert json.loads((await gateway.chat(model=f"{route.name}-b")).body)["id"] == "treatment"
    reply = await gateway.chat(model="unknown")
    assert (reply.status, reply.error) == (404, "model_not_found")


async def test_no_experiment_yet(gateway: Gateway) -> None:
    await gateway.serve()
    reply = await gateway.chat(user="")
    assert (reply.status, reply.error, reply.headers["retry-after"]) == (503, "no_experiment", "2")


async def test_a_user_of_an_arm_without_replica_is_not_moved(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route(10_000, treatment=[]))
    reply = await gateway.chat()
    assert (reply.status, reply.error, reply.variant) == (503, "no_replica", "treatment")
    assert "retry-after" in reply.headers
    _, treatment = await gateway.arms(experiment.name)
    assert (treatment.requests, treatment.errors, treatment.in_flight) == (1, 1, 0)
    assert experiment.control.seen == []


async def test_weight_change_under_load_is_effective_at_once(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route(10_000))
    revisions: dict[int, int] = {}
    stop = asyncio.Event()

    async def load(number: int) -> None:
        async with gateway.connect() as client:
            while not stop.is_set():
                reply = await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": f"u-{number}"})
                weight_bp = revisions[int(reply.headers["x-quantdeck-revision"])]
                assert reply.status == 200
                assert reply.variant == lesson(experiment.name, f"u-{number}", weight_bp)

    last = (await gateway.status()).revision
    revisions[last] = 10_000
    tasks = [asyncio.create_task(load(number)) for number in range(16)]
    for weight_bp in (0, 5000, 100, 10_000, 2500) * 4:
        revisions[last + 1] = weight_bp
        last = await gateway.serve(experiment.route(weight_bp))
        reply = await gateway.chat(user="me")  # asked after the acknowledgement
        assert int(reply.headers["x-quantdeck-revision"]) == last
    stop.set()
    await asyncio.gather(*tasks)
    control, treatment = await gateway.arms(experiment.name)
    assert control.errors == treatment.errors == 0


async def test_least_busy_replica_of_an_arm(gateway: Gateway, experiment: Experiment) -> None:
    pair = [experiment.control, experiment.treatment]
    await gateway.serve(experiment.route(control=pair))
    replies = [asyncio.create_task(gateway.chat(act="hang", user="u")) for _ in range(20)]
    counters = await gateway.until_counters(experiment.name, lambda counters: counters.in_flight == 20)
    loads = sorted(replica.in_flight for replica in counters.replicas)
    assert loads[1] - loads[0] <= 5
    for engine in pair:
        engine.release.set()
    await asyncio.gather(*replies)
