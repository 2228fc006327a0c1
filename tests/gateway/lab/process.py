"""A real gateway process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from gateway.lab.client import Connection, Reply
from gateway.lab.engine import Engine
from quantdeck_core.protocol.gateway import (
    ApiKey,
    Arm,
    ArmCounters,
    ConfigAck,
    ExperimentRoute,
    GatewayConfig,
    GatewayStatus,
    Replica,
)
from quantdeck_core.protocol.signals import AnswerRating, AnswerSignals, Signal, SignalsAsk, SignalsHello
from support.waiting import eventually

DEADLINE_S = 10.0


class Gateway:
    """A gateway process with its sockets."""

    def __init__(
        self,
        folder: Path,
        *more: str,
        argv: Sequence[str] = (),
        signals: bool = True,
        before: Sequence[str] = (),
    ) -> None:
        self.config_file, self.control, self.signals = folder / "g.json", folder / "c.sock", folder / "s.sock"
        self.log = folder / "log"
        where = ("--config", str(self.config_file), "--listen", "127.0.0.1:0")
        sockets = ["--control-socket", str(self.control)]
        sockets += ["--signals-socket", str(self.signals)] if signals else []
        with self.log.open("wb") as log:
            command = [*before, sys.executable, "-m", "quantdeck_gateway", *(argv or where), *sockets, *more]
            self.process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + DEADLINE_S
        while b"ready on" not in self.log.read_bytes():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.01)
        self.port = int(self.log.read_text().split("ready on ")[1].split(",")[0].rpartition(":")[2])

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        self.terminate()
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    async def upgrade(self, body: bytes = b"") -> Reply:
        """Let another process take over."""
        return await self.tell("POST", "/v1/upgrade", body)

    async def end_successor(self) -> None:
        """End whoever serves now, and wait for the process that was started first."""
        last = (await self.status()).pid
        os.kill(last, signal.SIGTERM)
        await eventually(lambda: not running(last), what="the successor ends")
        await asyncio.to_thread(self.process.wait, DEADLINE_S)

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            yield connection
        finally:
            await connection.close()

    async def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        async with self.connect() as connection:
            return await connection.ask(method, path, body, headers)

    async def chat(self, user: str = "u", **body: object) -> Reply:
        headers = {"x-user-id": user} if user else {}
        return await self.ask("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)

    async def tell(self, method: str, path: str, body: bytes = b"") -> Reply:
        connection = Connection(*await asyncio.open_unix_connection(str(self.control)))
        try:
            return await connection.ask(method, path, body)
        finally:
            await connection.close()

    async def status(self) -> GatewayStatus:
        while (reply := await self.tell("GET", "/v1/status")).status == 503:
            await asyncio.sleep(0.01)  # another process is taking over
        assert reply.status == 200
        return msgspec.json.decode(reply.body, type=GatewayStatus)

    async def put(self, config: GatewayConfig) -> Reply:
        return await self.tell("PUT", "/v1/config", msgspec.json.encode(config))

    async def serve(self, *experiments: ExperimentRoute, keys: Sequence[ApiKey] = ()) -> int:
        """Make these its experiments; returns the revision."""
        revision = (await self.status()).revision + 1
        reply = await self.put(GatewayConfig(revision=revision, experiments=experiments, api_keys=tuple(keys)))
        assert reply.status == 200, reply.body
        assert msgspec.json.decode(reply.body, type=ConfigAck).revision == revision
        return revision

    async def arms(self, experiment: str) -> tuple[ArmCounters, ArmCounters]:
        route = next(route for route in (await self.status()).routes if route.name == experiment)
        return route.control, route.treatment

    async def until_counters(self, experiment: str, condition: Callable[[ArmCounters], bool]) -> ArmCounters:
        """The control's counters when they are as wanted."""
        end = time.monotonic() + DEADLINE_S
        while not condition(counters := (await self.arms(experiment))[0]):
            assert time.monotonic() < end, counters
            await asyncio.sleep(0.005)
        return counters

    async def listen(self, ask: SignalsAsk = SignalsAsk()) -> SignalsFeed:  # noqa: B008 - frozen
        reader, writer = await asyncio.open_unix_connection(str(self.signals))
        writer.write(msgspec.json.encode(ask) + b"\n")
        return SignalsFeed(reader, writer, msgspec.json.decode(await reader.readline(), type=SignalsHello))


@dataclass
class SignalsFeed:
    """A reader of the signals socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    hello: SignalsHello

    async def next(self, experiment: str) -> AnswerSignals:
        """The next signals of an experiment's answers."""
        while not isinstance(signal := await self._next(experiment), AnswerSignals):
            pass
        return signal

    async def next_rating(self, experiment: str) -> AnswerRating:
        """The next rating of an experiment's answers."""
        while not isinstance(signal := await self._next(experiment), AnswerRating):
            pass
        return signal

    async def _next(self, experiment: str) -> Signal:
        while True:
            line = await asyncio.wait_for(self.reader.readline(), DEADLINE_S)
            signal: Signal = msgspec.json.decode(line, type=Signal)
            if signal.experiment == experiment:
                return signal

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass
class Experiment:
    """A route under construction."""

    name: str
    control: Engine
    treatment: Engine

    def route(
        self, weight_bp: int = 0, *, control: list[Engine] | None = None, treatment: list[Engine] | None = None
    ) -> ExperimentRoute:
        return ExperimentRoute(
            name=self.name,
            served_name=self.name,
            weight_bp=weight_bp,
            control=_arm([self.control] if control is None else control),
            treatment=_arm([self.treatment] if treatment is None else treatment),
        )


def _arm(engines: list[Engine]) -> Arm:
    return Arm(replicas=tuple(Replica(name=engine.arm, url=engine.url) for engine in engines), generation=3)


def running(pid: int) -> bool:
    """Whether a process is there and is more than an entry in its parent's list."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def workers(pid: int) -> list[int]:
    """PIDs of a leader's other workers."""
    return [child for child in children(pid) if b"quantdeck_gateway.worker" in _argv(child)]


def _argv(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def children(pid: int) -> list[int]:
    """PIDs of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rss_mib(pid: int) -> float:
    """Resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
