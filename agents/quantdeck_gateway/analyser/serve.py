"""Serves signals, and flagged prompts, to agents: JSON lines on a Unix socket that only its owner may open."""

from __future__ import annotations

import asyncio
import os
import time
from typing import cast

import msgspec

from quantdeck_core.protocol.signals import FlaggedAsk, Signal, SignalsAsk, SignalsHello
from quantdeck_gateway.analyser.flagged import FlaggedPrompts
from quantdeck_gateway.analyser.ring import SignalRing

MAX_CLIENTS = 16
MAX_BEHIND_BYTES = 4 * 1024 * 1024
"""A reader with more unread than this is dropped; it may come back and ask for what it missed."""
_POLL_S = 0.01
_MAX_ASK_BYTES = 4096

_encoder = msgspec.json.Encoder()


class SignalServer:
    """Keeps the ring and tells every connected reader what is new."""

    def __init__(self) -> None:
        self.epoch = os.urandom(8).hex()  # `secrets` would bring OpenSSL
        self.ring = SignalRing()
        self.flagged = FlaggedPrompts()
        self.readers: set[SignalReader] = set()

    def publish(self, batch: list[Signal]) -> None:
        """Keep new signals and send them to who listens."""
        for signals in batch:
            self.ring.add(signals)
        if self.readers and batch:
            lines = _encoder.encode_lines(batch)
            for reader in list(self.readers):
                reader.send(lines)

    async def flushed(self, deadline_s: float) -> None:
        """Return when every reader has been sent all of it, or at a deadline."""
        try:
            async with asyncio.timeout(deadline_s):
                while any(reader.behind for reader in self.readers):
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            return


class SignalReader(asyncio.Protocol):
    """One connected agent."""

    _transport: asyncio.Transport

    def __init__(self, server: SignalServer) -> None:
        self._server = server
        self._asked = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._server.readers) >= MAX_CLIENTS:
            self._transport.abort()

    @property
    def behind(self) -> bool:
        """Whether it has not been sent everything."""
        return self._transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        """The agent has gone."""
        self._server.readers.discard(self)

    def data_received(self, data: bytes) -> None:
        """The first line asks; whatever follows is ignored."""
        if self in self._server.readers:
            return
        self._asked += data
        line, end, _ = self._asked.partition(b"\n")
        if end:
            self._begin(bytes(line))
        elif len(self._asked) > _MAX_ASK_BYTES:
            self._transport.abort()

    def _begin(self, line: bytes) -> None:
        try:
            experiment = msgspec.json.decode(line, type=FlaggedAsk).flagged
        except (msgspec.MsgspecError, UnicodeError):
            self._listen(line)
        else:
            self._transport.write(self._server.flagged.lines(experiment, time.monotonic()))
            self._transport.close()

    def _listen(self, line: bytes) -> None:
        try:
            ask = msgspec.json.decode(line, type=SignalsAsk)
        except (msgspec.MsgspecError, UnicodeError):
            self._transport.abort()
            return
        server = self._server
        after = ask.after if ask.epoch == server.epoch else 0
        hello = SignalsHello(epoch=server.epoch, first_seq=server.ring.first_seq)
        self._transport.write(_encoder.encode(hello) + b"\n" + _encoder.encode_lines(server.ring.after(after)))
        server.readers.add(self)

    def send(self, lines: bytes) -> None:
        """Send new lines, or drop a reader that does not read."""
        if self._transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
            self._server.readers.discard(self)
            self._transport.abort()
        else:
            self._transport.write(lines)
