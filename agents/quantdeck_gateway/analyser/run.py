"""The analyser's process: its leader holds it by its standard input; it ends when leader and last worker have ended."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from typing import cast

import msgspec

from quantdeck_core.protocol.signals import AnswerSignals, Signal
from quantdeck_gateway.analyser.answers import to_signal
from quantdeck_gateway.analyser.serve import SignalReader, SignalServer
from quantdeck_gateway.analyser.tokens import token_counts
from quantdeck_gateway.handover import BatchReader, FinishedAnswer, Handed, encode_batch

_POLL_S = 0.02
_FLUSH_S = 1.0
"""For agents to read what was said last."""
_EXPIRE_EVERY_S = 10.0
_NICE = 5
"""Users' answers go first."""


class Leader(asyncio.Protocol):
    """The connection to the leader; nothing is said on it."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """The leader has gone."""
        self.gone.set()


class Inlet(asyncio.Protocol):
    """The connection to a worker's tee.

    Args:
        inlets: open ones; this one adds and removes itself.
    """

    _transport: asyncio.Transport

    def __init__(self, server: SignalServer, inlets: set[Inlet]) -> None:
        self._server, self._inlets = server, inlets
        self._reader = BatchReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A worker connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._inlets.add(self)

    def data_received(self, data: bytes) -> None:
        """Parts of batches."""
        try:
            for batch in self._reader.feed(data):
                numbered = enumerate(batch, self._server.ring.last_seq + 1)
                signals = [to_signal(handed, seq) for seq, handed in numbered]
                self._keep_flagged(batch, signals)
                self._server.publish(signals)
                self._transport.write(encode_batch(token_counts(signals)))  # its receipt
        except msgspec.MsgspecError:
            self._transport.abort()  # not what our gateway writes: begin again with a clean stream

    def _keep_flagged(self, batch: list[Handed], signals: list[Signal]) -> None:
        now = time.monotonic()
        for handed, heard in zip(batch, signals, strict=True):
            if isinstance(handed, FinishedAnswer) and isinstance(heard, AnswerSignals):
                self._server.flagged.note(handed, heard, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker has gone."""
        self._inlets.discard(self)


async def serve(answers_fd: int, signals_fd: int) -> None:
    """Analyse until the leader and all workers have gone."""
    loop = asyncio.get_running_loop()
    inlets: set[Inlet] = set()
    server = SignalServer()
    signals = socket.socket(fileno=signals_fd)
    listening = await loop.create_unix_server(lambda: SignalReader(server), sock=signals)
    answers = socket.socket(fileno=answers_fd)
    taking = await loop.create_unix_server(lambda: Inlet(server, inlets), sock=answers)
    life = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    life.setblocking(False)
    _, leader = await loop.create_unix_connection(Leader, sock=life)
    expiring = loop.create_task(_expire(server))
    await leader.gone.wait()
    while inlets:
        await asyncio.sleep(_POLL_S)
    taking.close()
    expiring.cancel()
    await server.flushed(_FLUSH_S)
    listening.close()


async def _expire(server: SignalServer) -> None:
    """Also what nobody asks for is forgotten in time."""
    while True:
        await asyncio.sleep(_EXPIRE_EVERY_S)
        server.flagged.expire(time.monotonic())


def main() -> None:
    """Run the analyser."""
    # A signal to the whole process group is meant for the gateway, whose last answers are still to be read.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # the ring holds thousands of objects and no cycles
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
