"""How finished answers travel from the gateway to its analyser, and receipts back: length-prefixed MessagePack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from quantdeck_core.protocol.gateway import VariantName

T = TypeVar("T")

_LENGTH_BYTES = 4


class FinishedAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="answer"):
    """An answer as the proxy saw it; times and user as in `quantdeck_core.protocol.gateway.Answer`.

    Attributes:
        ended: the engine ended the answer itself, as far as HTTP tells.
        stream: `body` is a stream of server-sent events, else JSON.
        cut: the body was longer than what is kept.
        body: the answer's bytes; empty for an error.
        prompt_bytes: length of the request's body.
        streamed_ms: from the first event to the last one; None where it was no stream.
        looped: the gateway ended it, since it was a loop.
        prompt: the request's body, to be kept if the answer is flagged; empty where it is too long for that, None where
            the experiment keeps none.
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
    segment: str = ""
    prompt_bytes: int = 0
    streamed_ms: float | None = None
    looped: bool = False
    prompt: bytes | None = None


class RatedAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="rating"):
    """What somebody thought of an answer, as in `quantdeck_core.protocol.gateway.AnswerRating`."""

    experiment: str
    variant: VariantName
    generation: int
    answer: str
    rating: float | None
    t: float
    task_completed: bool | None = None
    session_continued: bool | None = None


class TokenCount(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What engines said about the tokens of a batch's answers of one arm: the analyser's receipt for the batch."""

    experiment: str
    variant: VariantName
    prompt: int
    generation: int


Handed = FinishedAnswer | RatedAnswer

_encoder = msgspec.msgpack.Encoder()


def encode_batch(batch: Sequence[Handed] | Sequence[TokenCount]) -> bytes:
    """One batch, or one receipt, on the wire."""
    data = _encoder.encode(batch)
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


class _Reader(Generic[T]):
    """Puts together again what came in parts."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._decoder, self._buffer = decoder, bytearray()

    def feed(self, data: bytes) -> Iterator[T]:
        """What these bytes complete."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            if len(self._buffer) < end:
                return
            with memoryview(self._buffer) as view, view[_LENGTH_BYTES:end] as message:
                whole = self._decoder.decode(message)
            del self._buffer[:end]
            yield whole


class BatchReader(_Reader[list[Handed]]):
    """In the analyser."""

    def __init__(self) -> None:
        super().__init__(msgspec.msgpack.Decoder(list[Handed]))


class ReceiptReader(_Reader[list[TokenCount]]):
    """In the gateway."""

    def __init__(self) -> None:
        super().__init__(msgspec.msgpack.Decoder(list[TokenCount]))
