"""The split, for any users and weights: the lesson's, nested, and the same wherever it is decided."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, GatewayConfig
from quantdeck_gateway.routing import Placement, Placements, variant_of
from quantdeck_gateway.table import Route, RoutingTable

BUCKETS = 10_000
EXPERIMENT = "int4_awq_rollout_v1"
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
weights = st.integers(0, BUCKETS)


def lesson_number(experiment: str, user: str) -> int:
    """As the lesson writes it (`get_variant`)."""
    hash_input = f"{experiment}:{user}".encode()
    return int(hashlib.sha256(hash_input).hexdigest(), 16) % 10_000


def lesson(experiment: str, user: str, weight_bp: int) -> str:
    return "treatment" if lesson_number(experiment, user) < weight_bp else "control"


def served(experiment: str, weight_bp: int, table: RoutingTable | None = None) -> Route:
    table = table or RoutingTable()
    route = ExperimentRoute(name=experiment, served_name="m", weight_bp=weight_bp, control=Arm(), treatment=Arm())
    table.apply(GatewayConfig(revision=1, experiments=(route,)))
    return table.live[0]


def treated(route: Route, users: list[str]) -> set[str]:
    """As the data plane decides."""
    return {user for user in users if variant_of(route.placements.of(user.encode()), route.weight_bp) == "treatment"}


@given(names, st.lists(names, max_size=30), weights, weights)
def test_the_treated_at_a_lower_weight_are_treated_at_a_higher_one(
    experiment: str, users: list[str], one: int, other: int
) -> None:
    low, high = sorted((one, other))
    fewer, more = treated(served(experiment, low), users), treated(served(experiment, high), users)
    assert fewer <= more
    assert fewer == {user for user in users if lesson(experiment, user, low) == "treatment"}
    assert more == {user for user in users if lesson(experiment, user, high) == "treatment"}


@given(names, st.lists(names, max_size=20), st.lists(weights, min_size=1, max_size=5))
def test_what_came_before_does_not_matter(experiment: str, users: list[str], history: list[int]) -> None:
    table = RoutingTable()
    for weight in history:
        seasoned = served(experiment, weight, table)
        treated(seasoned, users)
    assert treated(seasoned, users) == treated(served(experiment, history[-1]), users)


@pytest.mark.slow
def test_a_million_users_are_in_the_lessons_buckets() -> None:
    placements = Placements(EXPERIMENT)
    users = [f"user-{number}" for number in range(1_000_000)]
    buckets = [placements.of(user.encode()).bucket for user in users]
    assert buckets == [lesson_number(EXPERIMENT, user) for user in users]
    assert set(buckets) == set(range(BUCKETS))  # so that the next test speaks of all of them


class AnyBucket(int):
    """Every bucket at once: nothing can be done with it but ask whether it is less, and it says what it was told to."""

    less = False

    def __lt__(self, other: int) -> bool:
        self.asked = other
        return self.less

    def _no(self, *_: object) -> Any:
        raise AssertionError("the split asks more of a bucket than whether it is below the weight")

    __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __hash__ = __index__ = __int__ = __bool__ = _no  # type: ignore[assignment]
    __add__ = __sub__ = __mul__ = __mod__ = __floordiv__ = __truediv__ = __and__ = __or__ = __xor__ = _no


@pytest.mark.slow
def test_at_each_of_the_10001_weights_exactly_the_buckets_below_it_are_treated() -> None:
    table = RoutingTable()
    for weight in range(BUCKETS + 1):
        decides = served(EXPERIMENT, weight, table).weight_bp
        for less, variant in ((True, "treatment"), (False, "control")):
            bucket = AnyBucket()
            bucket.less = less
            assert variant_of(Placement(bucket, "", 0, 0), decides) == variant
            assert bucket.asked == weight
        for number in {0, weight - 1, weight, weight + 1, BUCKETS - 1} & set(range(BUCKETS)):
            variant = "treatment" if number < weight else "control"
            assert variant_of(Placement(number, "", 0, 0), decides) == variant


def test_the_lessons_fractions_say_the_same_as_basis_points() -> None:
    """It compares `number / 10000.0` with a fraction; those of whole basis points keep their order and none fall
    together."""
    fractions = [number / 10000.0 for number in range(BUCKETS + 1)]
    assert all(one < other for one, other in pairwise(fractions))


USERS = [f"user-{number}" for number in range(200)] + ["nützer", "用户", "a:b", "x y", "u" * 300]


async def split(gateway: Gateway) -> dict[str, str]:
    async with gateway.connect() as client:
        return {
            user: (await client.ask("POST", "/v1/completions", b"{}", {"x-user-id": user})).variant for user in USERS
        }


async def test_gateways_restarts_and_ways_to_say_it_agree(tmp_path: Path, experiment: Experiment) -> None:
    folders = [tmp_path / name for name in ("one", "other", "alone")]
    for folder in folders:
        folder.mkdir()
    urls = ["--control", experiment.control.url, "--treatment", experiment.treatment.url]
    alone = ["--port", "0", *urls, "--experiment", experiment.name, "--weight", "29.12"]
    gateways = [Gateway(folders[0]), Gateway(folders[1]), Gateway(folders[2], argv=alone)]
    try:
        for gateway in gateways[:2]:
            await gateway.serve(experiment.route(2912))
        expected = {user: lesson(experiment.name, user, 2912) for user in USERS}
        for gateway in gateways:
            assert await split(gateway) == expected
        gateways[0].process.kill()
        gateways[0].process.wait()
        gateways[0] = Gateway(folders[0])
        assert await split(gateways[0]) == expected
    finally:
        assert [gateway.end() for gateway in gateways] == [0, 0, 0]
