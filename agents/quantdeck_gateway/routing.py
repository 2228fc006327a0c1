"""Where a request goes: pure functions of the user, the weight and what is in flight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from quantdeck_core.hashing import bucket_of, split_digest
from quantdeck_core.protocol.gateway import VariantName

MOST_USERS = 16_384
LONGEST_USER = 256
"""Longer ids (bytes) are hashed each time, so that what is remembered stays small whatever clients send."""
AFFINITY_SLACK = 4
"""A user stays on its replica, whose prefix cache is warm, until that has this many more requests than the least."""
_MIX = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: spreads consecutive numbers


class Placement(NamedTuple):
    """A user in an experiment.

    Attributes:
        bucket: 0..9999, compared with the weight.
        short: first 16 hex digits of the split's SHA-256.
        affinity: 64 bits that choose among replicas.
        sample: 0..65535, compared with the share of answers that is analysed; independent of the bucket.
    """

    bucket: int
    short: str
    affinity: int
    sample: int


class Loaded(Protocol):
    """What choosing among replicas needs to know of each."""

    @property
    def salt(self) -> int:
        """64 bits of its own."""

    @property
    def in_flight(self) -> int:
        """Requests that it works on."""


R = TypeVar("R", bound=Loaded)


class Placements:
    """Where the users of one experiment (as bytes of the header) stand: hashed once for a user, not for each request.

    Attributes:
        known: who was looked up before.
    """

    def __init__(self, experiment: str) -> None:
        self.known: dict[bytes, Placement] = {}
        self._experiment = experiment

    def of(self, user: bytes) -> Placement:
        """Where a user stands.

        Raises:
            UnicodeDecodeError: the id is not UTF-8.
        """
        placement = self.known.get(user)
        if placement is None:
            placement = place(self._experiment, user.decode())
            if len(user) <= LONGEST_USER:
                if len(self.known) >= MOST_USERS:
                    self.known.clear()
                self.known[user] = placement
        return placement


def place(experiment: str, user: str) -> Placement:
    """Where a user stands."""
    digest = split_digest(experiment, user)
    return Placement(
        bucket_of(digest),
        digest[:8].hex(),
        int.from_bytes(digest[8:16], "big"),
        int.from_bytes(digest[16:18], "big"),
    )


def variant_of(placement: Placement | None, weight_bp: int) -> VariantName:
    """The user's variant at a weight; who has no id is on the control."""
    return "treatment" if placement is not None and placement.bucket < weight_bp else "control"


def choose(replicas: Sequence[R], placement: Placement | None) -> R | None:
    """The replica with the least in flight, or the user's own one where that is not much busier."""
    if len(replicas) < 2:
        return replicas[0] if replicas else None
    least = min(replicas, key=_load)
    if placement is None:
        return least
    own = preferred(replicas, placement.affinity)
    return own if own.in_flight <= least.in_flight + AFFINITY_SLACK else least


def preferred(replicas: Iterable[R], affinity: int) -> R:
    """Rendezvous hashing: a replica that comes or goes moves only the users that it wins or held."""
    return max(replicas, key=lambda replica: (((affinity ^ replica.salt) * _MIX) >> 24) & 0xFFFFFFFFFF)


def _load(replica: Loaded) -> int:
    return replica.in_flight
