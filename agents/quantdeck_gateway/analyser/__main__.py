"""`python -m quantdeck_gateway.analyser ANSWERS_FD SIGNALS_FD`: started by the gateway, ends when the gateway ends."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import cast

import msgspec

from quantdeck_gateway.analyser.answers import to_signal
from quantdeck_gateway.analyser.serve import SignalReader, SignalServer
from quantdeck_gateway.analyser.tokens import token_counts
from quantdeck_gateway.handover import BatchReader, encode_batch

_NICE = 5
"""Users' answers go first."""


class Inlet(asyncio.Protocol):
    """The analyser's end of the socket pair."""

    _transport: asyncio.Transport

    def __init__(self, server: SignalServer) -> None:
        self.ended = asyncio.Event()
        self._server = server
        self._reader = BatchReader()
        self._seq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parts of batches."""
        try:
            for batch in self._reader.feed(data):
                numbered = enumerate(batch, self._seq + 1)
                signals = [to_signal(handed, seq) for seq, handed in numbered]
                self._server.publish(signals)
                self._transport.write(encode_batch(token_counts(signals)))
                self._seq += len(batch)
        except msgspec.MsgspecError:
            self.ended.set()  # not what our gateway writes: begin again with a clean stream

    def connection_lost(self, exc: Exception | None) -> None:
        """The gateway has gone."""
        self.ended.set()


async def serve(answers_fd: int, signals_fd: int) -> None:
    """Analyse until the gateway closes its end."""
    loop = asyncio.get_running_loop()
    server = SignalServer()
    signals = socket.socket(fileno=signals_fd)
    listening = await loop.create_unix_server(lambda: SignalReader(server), sock=signals)
    answers = socket.socket(fileno=answers_fd)
    answers.setblocking(False)
    _, inlet = await loop.create_unix_connection(lambda: Inlet(server), sock=answers)
    await inlet.ended.wait()
    listening.close()


def main() -> None:
    """Run the analyser."""
    # A signal to the whole process group is meant for the gateway, whose last answers are still to be read.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # the ring holds thousands of objects and no cycles
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
