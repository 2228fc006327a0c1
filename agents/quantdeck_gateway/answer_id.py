"""Signed ids of answers, so that a rating is believed only for an answer that this gateway gave."""

from __future__ import annotations

import secrets
from binascii import hexlify
from collections.abc import Callable
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import NamedTuple

from quantdeck_core.protocol.gateway import VariantName
from quantdeck_gateway.numbers import numbered

KEY_BYTES = 32
_MAC_BYTES = 12
_MAX_BYTES = 128
"""Longer ones were not made here."""
_TAG_HEX = 12

Mint = Callable[[], bytes]
"""Makes the next id of an arm: about 0.7 us."""


class AnswerOf(NamedTuple):
    """What an id says about its answer.

    Attributes:
        tag: of the experiment, see `tag_of`.
        mark: tells answers apart; the id's signature.
    """

    tag: str
    variant: VariantName
    generation: int
    mark: str


class AnswerIds:
    """Makes ids and reads them: `VARIANT GENERATION.EXPERIMENT.PROCESS.NUMBER.SIGNATURE`, safe in URLs.

    Args:
        key: secret, `KEY_BYTES` long; processes with the same key read each other's ids and never make the same one.
    """

    def __init__(self, key: bytes) -> None:
        self._signing = blake2b(key=key, digest_size=_MAC_BYTES)
        self._process = secrets.token_hex(6)
        self._next = numbered(b"", 2).__next__

    def mint(self, experiment: str, variant: VariantName, generation: int) -> Mint:
        """What makes the ids of an arm; the part that they share is signed once, here."""
        shared = f"{variant[0]}{generation:x}.{tag_of(experiment)}.{self._process}.".encode()
        signing = self._signing.copy()
        signing.update(shared)
        begun, number = signing.copy, self._next

        def make() -> bytes:
            own = number()
            whole = begun()
            whole.update(own)
            return shared + own + b"." + hexlify(whole.digest())

        return make

    def read(self, answer: str) -> AnswerOf | None:
        """What an id says, None where it was not made with this key."""
        signed, _, mark = answer.rpartition(".")
        if len(answer) > _MAX_BYTES or not answer.isascii():
            return None
        signing = self._signing.copy()
        signing.update(signed.encode())
        if not compare_digest(signing.hexdigest(), mark):
            return None
        arm, tag, _, _ = signed.split(".")
        return AnswerOf(tag, "control" if arm[0] == "c" else "treatment", int(arm[1:], 16), mark)


def new_key() -> bytes:
    """A key for `AnswerIds`."""
    return secrets.token_bytes(KEY_BYTES)


def tag_of(experiment: str) -> str:
    """A short stand-in for an experiment's name, which may hold what no header may."""
    return sha256(experiment.encode()).hexdigest()[:_TAG_HEX]
