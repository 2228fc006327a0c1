"""The split, against the lesson's arithmetic written down once more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.hashing import bucket
from quantdeck_gateway.routing import AFFINITY_SLACK, MOST_USERS, Placements, choose, place, preferred, variant_of

users = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
weights = st.integers(0, 10_000)


def lesson(experiment: str, user: str, weight_bp: int) -> str:
    number = int(hashlib.sha256(f"{experiment}:{user}".encode()).hexdigest(), 16) % 10_000
    return "treatment" if number < weight_bp else "control"


@given(users, users, weights)
def test_variant_is_the_lessons(experiment: str, user: str, weight: int) -> None:
    assert variant_of(place(experiment, user), weight) == lesson(experiment, user, weight)


@given(users, weights, weights)
def test_more_weight_only_adds_users(user: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    placement = place("exp", user)
    if variant_of(placement, low) == "treatment":
        assert variant_of(placement, high) == "treatment"


def test_every_weight_for_some_users() -> None:
    for number in range(20):
        placement = place("int4_awq_rollout_v1", f"user-{number}")
        treated = [weight for weight in range(10_001) if variant_of(placement, weight) == "treatment"]
        assert treated == list(range(bucket("int4_awq_rollout_v1", f"user-{number}") + 1, 10_001))


def test_without_user_the_control() -> None:
    assert variant_of(None, 10_000) == "control"


@given(users)
def test_short_name_of_a_user(user: str) -> None:
    assert place("exp", user).short == hashlib.sha256(f"exp:{user}".encode()).hexdigest()[:16]


def test_long_users_are_placed_too() -> None:
    placements = Placements("exp")
    assert placements.of(b"u" * 5000).bucket == bucket("exp", "u" * 5000)
    assert not placements.known


def test_user_that_is_not_utf8() -> None:
    with pytest.raises(UnicodeDecodeError):
        Placements("exp").of(b"\xff")


def test_what_is_remembered_is_bounded() -> None:
    placements = Placements("exp")
    for number in range(MOST_USERS + 10):
        assert placements.of(b"%d" % number).bucket == bucket("exp", str(number))
        assert len(placements.known) <= MOST_USERS


@dataclass
class FakeReplica:
    salt: int
    in_flight: int = 0


def _replicas(count: int) -> list[FakeReplica]:
    return [FakeReplica(int.from_bytes(hashlib.sha256(bytes([n])).digest()[:8], "big")) for n in range(count)]


def test_no_replica() -> None:
    assert choose([], None) is None


def test_without_user_the_least_busy() -> None:
    replicas = _replicas(3)
    replicas[0].in_flight = replicas[2].in_flight = 1
    assert choose(replicas, None) is replicas[1]


def test_user_stays_until_its_replica_is_much_busier() -> None:
    replicas, placement = _replicas(3), place("exp", b"u")
    own = choose(replicas, placement)
    assert own is not None
    own.in_flight = AFFINITY_SLACK
    assert choose(replicas, placement) is own
    own.in_flight += 1
    assert choose(replicas, placement) is not own


def test_affinity_is_even() -> None:
    replicas = _replicas(5)
    counts = [0] * 5
    for number in range(5000):
        counts[replicas.index(preferred(replicas, place("exp", b"%d" % number).affinity))] += 1
    assert min(counts) > 850
    assert max(counts) < 1150


def test_a_replica_that_goes_moves_only_its_own_users() -> None:
    replicas = _replicas(4)
    for number in range(500):
        affinity = place("exp", b"%d" % number).affinity
        before = preferred(replicas, affinity)
        if before is not replicas[3]:
            assert preferred(replicas[:3], affinity) is before
