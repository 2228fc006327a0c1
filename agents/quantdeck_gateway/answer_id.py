"""Signed ids of answers, so that a rating is believed only for an answer that this gateway gave."""

from __future__ import annotations

import secrets
from binascii import hexlify
from collections.abc import Callable, Iterator
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import NamedTuple

from quantdeck_core.protocol.gateway import VariantName
from quantdeck_gateway.numbers import numbered

KEY_BYTES = 32
_MARK = 24
"""Hexadecimal digits of a signature: 96 bits."""
_LAST = (b"0", b"1", b"2", b"3", b"4")
"""Last digits of the ids that are signed together."""
_MAX_BYTES = 128
"""Longer ones were not made here."""
_TAG_HEX = 12

Mint = Callable[[], bytes]
"""Makes the next id of an arm: about 0.3 us."""


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
        self._signing = blake2b(key=key)
        self._process = secrets.token_hex(6)
        self._handfuls = numbered(b"", 2)

    def mint(self, experiment: str, variant: VariantName, generation: int) -> Mint:
        """What makes the ids of an arm; the part that they share is signed once, here."""
        shared = f"{variant[0]}{generation:x}.{tag_of(experiment)}.{self._process}.".encode()
        return self._minted(shared).__next__

    def _minted(self, shared: bytes) -> Iterator[bytes]:
        signing = self._signing.copy()
        signing.update(shared)
        for handful in self._handfuls:
            digest = self._digest(signing, handful)
            for last, mark in zip(_LAST, range(0, len(digest), _MARK), strict=False):
                yield shared + handful + last + b"." + digest[mark : mark + _MARK]

    @staticmethod
    def _digest(begun: blake2b, rest: bytes) -> bytes:
        """Long enough for the marks of a handful of ids: signing one costs as much as signing five."""
        signing = begun.copy()
        signing.update(rest)
        return hexlify(signing.digest())

    def read(self, answer: str) -> AnswerOf | None:
        """What an id says, None where it was not made with this key."""
        signed, _, mark = answer.rpartition(".")
        if len(answer) > _MAX_BYTES or not answer.isascii() or signed[-1:].encode() not in _LAST:
            return None
        at = _MARK * _LAST.index(signed[-1:].encode())
        if not compare_digest(self._digest(self._signing, signed[:-1].encode())[at : at + _MARK], mark.encode()):
            return None
        arm, tag, _, _ = signed.split(".")
        return AnswerOf(tag, "control" if arm[0] == "c" else "treatment", int(arm[1:], 16), mark)


def new_key() -> bytes:
    """A key for `AnswerIds`."""
    return secrets.token_bytes(KEY_BYTES)


def tag_of(experiment: str) -> str:
    """A short stand-in for an experiment's name, which may hold what no header may."""
    return sha256(experiment.encode()).hexdigest()[:_TAG_HEX]
