"""What users were answered, as signals from the gateway's analyser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from quantdeck_core.protocol.signals import Signal, SignalsAsk, SignalsHello

RETRY_S = 0.25
_LINE_LIMIT = 1 << 20


class AnswerFeed:
    """Every finished answer, and every rating.

    Attributes:
        connected: whether the analyser is listened to now, and what it said last could be read.
        epoch: of the analyser whose signals these are.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self.connected = False
        self.epoch = ""

    async def signals(self) -> AsyncIterator[Signal]:
        """Each once, for ever; connects again where the analyser was restarted.

        After a restart of this agent the analyser sends what it still holds, so that windows fill again at once. A line
        that cannot be read (a number that is none, a kind that only a newer gateway knows) is passed over: asked for
        again it would be the same.
        """
        last = 0
        decoder = msgspec.json.Decoder(Signal)
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=_LINE_LIMIT)
            except OSError:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                writer.write(msgspec.json.encode(SignalsAsk(epoch=self.epoch, after=last)) + b"\n")
                hello = msgspec.json.decode(await reader.readline() or b"{}", type=SignalsHello)
                self.connected = True
                if hello.epoch != self.epoch:
                    self.epoch, last = hello.epoch, 0
                while line := await reader.readline():
                    try:
                        signal = decoder.decode(line)
                    except (msgspec.DecodeError, UnicodeError):
                        self.connected = False
                        continue
                    self.connected = True
                    last = signal.seq
                    yield signal
            except (OSError, msgspec.DecodeError, ValueError):
                pass  # broken off: the connection is made again and asks for what is missing
            finally:
                self.connected = False
                writer.close()
            await asyncio.sleep(RETRY_S)
