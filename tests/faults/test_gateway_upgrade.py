"""The gateway is reloaded and upgraded, again and again under load: nobody is refused, and no answer breaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.lab.client import Connection
from gateway.lab.engine import Engine
from gateway.lab.process import Experiment, Gateway, running
from support.waiting import eventually

KEPT, FRESH, STREAMS = 4, 4, 4
WEIGHT_BP = 5000


class Users:
    """Clients of three kinds, for as long as a test lasts; each looks at every byte of its answers.

    Attributes:
        answered: whole answers by the kind of client.
        broken: what was not one, in words.
        variants: what each user was answered by.
    """

    def __init__(self, gateway: Gateway, engine: Engine) -> None:
        self.answered: Counter[str] = Counter()
        self.broken: list[str] = []
        self.variants: dict[str, set[str]] = {}
        self._gateway, self._engine = gateway, engine
        self._stop = False

    async def kept_alive(self, user: str) -> None:
        """Uses a connection until it is told that it ends."""
        connection: Connection | None = None
        while not self._stop:
            connection = connection or await self._connect()
            reply = await connection.ask("POST", "/v1/completions", b"{}", {"x-user-id": user})
            assert reply.whole
            assert reply.status == 200, reply.body
            self._note("kept", user, reply.variant)
            if reply.headers.get("connection") == "close":
                await connection.close()
                connection = None
            await asyncio.sleep(0.002)
        if connection:
            await connection.close()

    async def fresh(self, user: str) -> None:
        """A connection for each request."""
        while not self._stop:
            connection = await self._connect()
            reply = await connection.ask("POST", "/v1/completions", b"{}", {"x-user-id": user})
            assert (reply.whole, reply.status) == (True, 200)
            self._note("fresh", user, reply.variant)
            await connection.close()

    async def streams(self, user: str) -> None:
        """Streams that last longer than an upgrade takes at times."""
        body = json.dumps({"stream": True, "act": "paced", "text": " ".join(["word"] * 12)}).encode()
        while not self._stop:
            connection = await self._connect()
            reply = await connection.ask("POST", "/v1/completions", body, {"x-user-id": user})
            assert reply.status == 200
            assert reply.whole
            assert reply.body.count(b"word") == 12
            assert reply.body.endswith(b"data: [DONE]\n\n")
            self._note("streams", user, reply.variant)
            await connection.close()

    async def _connect(self) -> Connection:
        return Connection(*await asyncio.open_connection("127.0.0.1", self._gateway.port))

    def _note(self, kind: str, user: str, variant: str) -> None:
        self.answered[kind] += 1
        self.variants.setdefault(user, set()).add(variant)

    async def _for_ever(self, kind: str, number: int) -> None:
        while not self._stop:
            try:
                await getattr(self, kind)(f"{kind}-{number}")
            except (OSError, EOFError, AssertionError) as error:
                self.broken.append(f"{kind}: {type(error).__name__} {error}")

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Let them ask until the end of the block."""
        kinds = [("kept_alive", KEPT), ("fresh", FRESH), ("streams", STREAMS)]
        tasks = [asyncio.create_task(self._for_ever(kind, number)) for kind, many in kinds for number in range(many)]
        try:
            yield
        finally:
            self._stop = True
            await asyncio.wait_for(asyncio.gather(*tasks), 20)


@pytest.mark.parametrize(
    ("workers", "times"),
    [(1, 5), (2, 5), pytest.param(1, 100, marks=pytest.mark.slow), pytest.param(2, 100, marks=pytest.mark.slow)],
)
@pytest.mark.timeout(400)
async def test_upgraded_under_load(tmp_path: Path, experiment: Experiment, workers: int, times: int) -> None:
    gateway = Gateway(tmp_path, "--workers", str(workers))
    await gateway.serve(experiment.route(WEIGHT_BP))
    users = Users(gateway, experiment.control)
    every = {gateway.process.pid}
    async with users.asking():
        for number in range(times):
            wanted = Counter({kind: count + 3 for kind, count in users.answered.items()})
            await eventually(lambda wanted=wanted: users.answered >= wanted and len(users.answered) == 3)
            before = (await gateway.status()).pid
            os.kill(before, signal.SIGHUP)
            if number % 2:
                os.kill(before, signal.SIGUSR2)
            else:
                assert (await gateway.upgrade()).status == 200
            while (status := await gateway.status()).pid == before:
                await asyncio.sleep(0.01)
            every.add(status.pid)
            assert status.routes[0].weight_bp == WEIGHT_BP
    print(f"\n{times} upgrades, {users.answered.total()} answers, {len(users.broken)} broken")
    assert users.broken == []
    assert len(every) == times + 1
    assert all(len(variants) == 1 for variants in users.variants.values()), "nobody changed sides"
    assert {next(iter(variants)) for variants in users.variants.values()} == {"control", "treatment"}
    last = (await gateway.status()).pid
    await eventually(lambda: [pid for pid in every if running(pid)] == [last], 30)
    await gateway.end_successor()
    assert "Traceback" not in gateway.log.read_text()
