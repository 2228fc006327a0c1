"""Shadows: asked for the judge's sake, and never in a user's way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import ExperimentRoute, Limits, Shadow, VariantName
from quantdeck_gateway.answer_id import AnswerIds, new_key
from quantdeck_gateway.arm import Arm
from quantdeck_gateway.routing import place
from quantdeck_gateway.shadow import Copies
from support.waiting import eventually


def shadowed(route: ExperimentRoute, of: VariantName = "control", share_bp: int = 10_000) -> ExperimentRoute:
    return msgspec.structs.replace(route, shadow=Shadow(of=of, share_bp=share_bp))


async def metric(gateway: Gateway, experiment: Experiment, end: str) -> int:
    """Shadows of the treatment, by how they ended."""
    text = (await gateway.ask("GET", "/metrics")).body.decode()
    labels = f'experiment="{experiment.name}",variant="treatment",end="{end}"'
    line = f"quantdeck_gateway_shadow_requests_total{{{labels}}} "
    return int(text.split(line)[1].split("\n")[0]) if line in text else 0


async def until(gateway: Gateway, experiment: Experiment, end: str, count: int) -> None:
    async with asyncio.timeout(10):
        while await metric(gateway, experiment, end) != count:
            await asyncio.sleep(0.01)


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that waits one second for an engine."""
    gateway = Gateway(tmp_path, "--first-byte-seconds", "1", "--between-events-seconds", "1")
    yield gateway
    assert gateway.end() == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_the_other_arm_is_asked_the_same_and_judged(
    gateway: Gateway, experiment: Experiment, stream: bool
) -> None:
    await gateway.serve(shadowed(experiment.route()))
    feed = await gateway.listen()
    body = json.dumps({"stream": stream, "text": "one two three"}).encode()
    reply = await gateway.ask("POST", "/v1/completions", body, {"x-user-id": "u", "x-request-id": "r1"})
    assert (reply.status, reply.variant) == (200, "control")
    signals = {one.variant: one for one in [await feed.next(experiment.name) for _ in range(2)]}
    await feed.close()
    one, two = signals["control"], signals["treatment"]
    assert (one.shadow, two.shadow) == (False, True)
    assert (two.words, two.user, two.stream, two.complete, two.generation) == (3, one.user, stream, True, 3)
    assert (two.ttft_ms is not None) is stream
    (head, copied), (_, original) = experiment.treatment.seen[0], experiment.control.seen[0]
    assert copied == original
    assert "x-request-id: r1-shadow\r\n" in head
    control, treatment = await gateway.arms(experiment.name)
    assert (control.requests, treatment.requests, treatment.in_flight) == (1, 0, 0)


async def test_an_engine_with_another_name_for_the_model_is_asked_by_that(
    gateway: Gateway, experiment: Experiment
) -> None:
    route = experiment.route()
    other = msgspec.structs.replace(route.treatment.replicas[0], model="theirs", api_key="their-key")
    treatment = msgspec.structs.replace(route.treatment, replicas=(other,))
    await gateway.serve(shadowed(msgspec.structs.replace(route, treatment=treatment)))
    assert (await gateway.chat(model=experiment.name)).status == 200
    await eventually(lambda: experiment.treatment.seen)
    head, body = experiment.treatment.seen[0]
    assert json.loads(body)["model"] == "theirs"
    assert "authorization: Bearer their-key\r\n" in head
    assert "their-key" not in experiment.control.seen[0][0]


async def test_the_control_shadows_a_treatment_that_everybody_is_on(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(shadowed(experiment.route(10_000), of="treatment"))
    assert (await gateway.chat()).variant == "treatment"
    await eventually(lambda: experiment.control.seen)
    await gateway.serve(shadowed(experiment.route(10_000), of="control"))
    await gateway.chat()
    assert (len(experiment.control.seen), len(experiment.treatment.seen)) == (1, 2)


async def test_the_user_does_not_wait_and_sees_no_failure(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(shadowed(experiment.route(treatment=[])))
    assert (await gateway.chat()).status == 200
    await until(gateway, experiment, "skipped", 1)
    await gateway.serve(shadowed(experiment.route()))
    await experiment.treatment.stop()
    assert (await gateway.chat()).status == 200
    await until(gateway, experiment, "failed", 1)


async def test_shadows_are_bounded_and_hold_no_user_up(gateway: Gateway, experiment: Experiment) -> None:
    route = experiment.route(5_000)
    treatment = msgspec.structs.replace(route.treatment, limits=Limits(max_in_flight=3))
    await gateway.serve(shadowed(msgspec.structs.replace(route, treatment=treatment)))
    control_user = next(f"u{n}" for n in range(99) if place(experiment.name, f"u{n}").bucket >= 5_000)
    treated_user = next(f"u{n}" for n in range(99) if place(experiment.name, f"u{n}").bucket < 5_000)
    experiment.control.release.set()
    for _ in range(5):
        assert (await gateway.chat(user=control_user, act="hang")).status == 200
    await eventually(lambda: len(experiment.treatment.seen) == 3)
    assert await metric(gateway, experiment, "skipped") == 2
    assert (await gateway.chat(user=treated_user)).variant == "treatment"
    experiment.treatment.release.set()
    await until(gateway, experiment, "done", 3)


async def test_at_most_64_at_once_and_none_of_a_long_request(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(shadowed(experiment.route()))
    experiment.control.release.set()
    for _ in range(70):
        await gateway.chat(act="hang")
    await eventually(lambda: len(experiment.treatment.seen) == 64)
    await until(gateway, experiment, "skipped", 6)
    experiment.treatment.release.set()
    await until(gateway, experiment, "done", 64)
    assert (await gateway.chat(text="x" * (1 << 20))).status == 200
    await until(gateway, experiment, "skipped", 7)


async def test_a_replica_that_is_taken_away_is_not_waited_for(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(shadowed(experiment.route()))
    experiment.control.release.set()
    await gateway.chat(act="hang")
    await eventually(lambda: experiment.treatment.seen)
    await gateway.serve(shadowed(experiment.route(treatment=[])))
    await eventually(lambda: experiment.treatment.cancelled == 1)
    assert await metric(gateway, experiment, "cancelled") == 1


async def test_an_engine_that_says_nothing_is_given_up(hasty: Gateway, experiment: Experiment) -> None:
    await hasty.serve(shadowed(experiment.route()))
    experiment.control.release.set()
    feed = await hasty.listen()
    await hasty.chat(act="hang")
    signals = [await feed.next(experiment.name) for _ in range(2)]
    assert [(one.variant, one.status, one.shadow) for one in signals] == [
        ("control", 200, False),
        ("treatment", 0, True),
    ]
    await eventually(lambda: experiment.treatment.cancelled == 1)
    await feed.close()


async def test_shadows_end_with_the_gateway(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path)
    await gateway.serve(shadowed(experiment.route()))
    experiment.control.release.set()
    await gateway.chat(act="hang")
    await eventually(lambda: experiment.treatment.seen)
    assert await asyncio.to_thread(gateway.end) == 0
    await eventually(lambda: experiment.treatment.cancelled == 1)


def _copies(share_bp: int) -> Copies:
    return Copies(Arm("e", "treatment", AnswerIds(new_key())), share_bp)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.text(max_size=20))
def test_more_is_never_less_and_a_user_stays(low: int, high: int, user: str) -> None:
    low, high = sorted((low, high))
    placement = place("e", user)
    assert _copies(low).wants(placement) <= _copies(high).wants(placement)
    assert not _copies(0).wants(placement)
    assert _copies(10_000).wants(placement)


def test_the_sample_is_independent_of_the_split_and_as_large_as_asked() -> None:
    places = [place("e", f"u{number}") for number in range(20_000)]
    copies = _copies(2_500)
    for half in (range(5_000), range(5_000, 10_000)):
        inside = [one for one in places if one.bucket in half]
        assert 0.23 < sum(map(copies.wants, inside)) / len(inside) < 0.27


@given(st.integers(0, 10_000), st.integers(1, 3_000))
def test_of_requests_without_a_user_exactly_the_share_is_copied(share_bp: int, requests: int) -> None:
    copies = _copies(share_bp)
    assert sum(copies.wants(None) for _ in range(requests)) == pytest.approx(requests * share_bp / 10_000, abs=1.1)
