"""Between the gateway's processes: questions and their answers over a socket pair, either side asking."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec

from quantdeck_gateway.messages import Failed, Message

_LENGTH_BYTES = 4
_tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references
log = logging.getLogger("quantdeck.gateway")


class _Frame(msgspec.Struct, frozen=True, array_like=True):
    """`message` is decoded by itself: a question that the other version does not know must still get an answer."""

    seq: int
    answer: bool
    message: msgspec.Raw


_encoder = msgspec.msgpack.Encoder()
_frame_decoder = msgspec.msgpack.Decoder(_Frame)
_message_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)

Answering = Callable[[Message], Message | Awaitable[Message]]
"""Answers a question, at once or later; until it awaits, it keeps the order of the questions."""


class Channel(asyncio.Protocol):
    """One end.

    Args:
        ended: called when the other end is gone; what was asked and not answered is answered with `Failed`.
    """

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, answer: Answering, ended: Callable[[], None]) -> None:
        self._loop, self._answer, self._on_end = loop, answer, ended
        self._buffer = bytearray()
        self._seqs = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self.closed = False

    def ask(self, message: Message) -> asyncio.Future[Message]:
        """Send a question, now; its answer comes later."""
        future: asyncio.Future[Message] = self._loop.create_future()
        if self.closed:
            future.set_result(Failed(detail="the process has ended"))
            return future
        seq = next(self._seqs)
        self._asked[seq] = future
        self._send(seq, False, message)
        return future

    def close(self) -> None:
        """End it."""
        self._transport.close()

    def _send(self, seq: int, answer: bool, message: Message) -> None:
        frame = _encoder.encode(_Frame(seq, answer, msgspec.Raw(_encoder.encode(message))))
        self._transport.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone."""
        self.closed = True
        asked, self._asked = self._asked, {}
        for future in asked.values():
            if not future.done():
                future.set_result(Failed(detail="the process ended"))
        self._on_end()

    def data_received(self, data: bytes) -> None:
        """Parts of frames."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(buffer[:_LENGTH_BYTES], "big")
            if len(buffer) < end:
                return
            frame = _frame_decoder.decode(bytes(buffer[_LENGTH_BYTES:end]))
            del buffer[:end]
            self._take(frame)

    def _take(self, frame: _Frame) -> None:
        message: Message
        try:
            message = _message_decoder.decode(frame.message)
        except msgspec.MsgspecError as error:
            message = Failed(detail=f"another version does not understand it: {error}")
            if not frame.answer:
                self._send(frame.seq, True, message)
                return
        if frame.answer:
            future = self._asked.pop(frame.seq, None)
            if future is not None and not future.done():
                future.set_result(message)
            return
        answer = self._answer(message)
        if isinstance(answer, Awaitable):
            task = self._loop.create_task(self._answer_later(frame.seq, answer))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
        else:
            self._send(frame.seq, True, answer)

    async def _answer_later(self, seq: int, answer: Awaitable[Message]) -> None:
        try:
            message = await answer
        except Exception as error:  # a defect of ours must not leave the other process waiting
            log.exception("no answer to another process of the gateway")
            message = Failed(detail=str(error))
        if not self.closed:
            self._send(seq, True, message)


async def open_channel(
    loop: asyncio.AbstractEventLoop, end: socket.socket, answer: Answering, ended: Callable[[], None]
) -> Channel:
    """A channel over one end of a socket pair, which it owns from now on."""
    end.setblocking(False)
    _, channel = await loop.create_unix_connection(lambda: Channel(loop, answer, ended), sock=end)
    return channel
