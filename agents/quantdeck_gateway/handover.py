"""How finished answers travel from the gateway to its analyser: length-prefixed batches of MessagePack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from quantdeck_core.protocol.gateway import VariantName

_LENGTH_BYTES = 4


class FinishedAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="answer"):
    """An answer as the proxy saw it; times and user as in `quantdeck_core.protocol.gateway.Answer`.

    Attributes:
        ended: the engine ended the answer itself, as far as HTTP tells.
        stream: `body` is a stream of server-sent events, else JSON.
        cut: the body was longer than what is kept.
        body: the answer's bytes; empty for an error.
    """

    experiment: str
    variant: VariantName
    generation: int
    replica: str
    user: str
    t: float
    status: int
    ended: bool
    stream: bool
    cut: bool
    ttft_ms: float | None
    e2e_ms: float
    body: bytes
    shadow: bool = False


class RatedAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="rating"):
    """What somebody thought of an answer, as in `quantdeck_core.protocol.gateway.AnswerRating`."""

    experiment: str
    variant: VariantName
    generation: int
    answer: str
    rating: float
    t: float


Handed = FinishedAnswer | RatedAnswer

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Handed])


def encode_batch(answers: Sequence[Handed]) -> bytes:
    """One batch on the wire."""
    batch = _encoder.encode(answers)
    return len(batch).to_bytes(_LENGTH_BYTES, "big") + batch


class BatchReader:
    """Puts batches together again."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Handed]]:
        """The batches that these bytes complete."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            if len(self._buffer) < end:
                return
            batch = _decoder.decode(memoryview(self._buffer)[_LENGTH_BYTES:end].tobytes())
            del self._buffer[:end]
            yield batch
