"""When an agent may say that it judges: it hears the answers, and acts on them in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantdeck_agent.experiments import hearing
from quantdeck_agent.experiments.controller import KIND
from quantdeck_agent.experiments.manager import Experiments
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.gateway.signals import AnswerFeed
from quantdeck_agent.hub import Hub
from quantdeck_agent.paths import Paths
from quantdeck_agent.store import Store
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.protocol.signals import SignalsHello
from quantdeck_core.rollout.state import RolloutState
from support.agents import short_folder
from support.answers import answer
from support.fleets import sample
from support.waiting import eventually


class Analyser:
    """The gateway's analyser as an agent meets it."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self.server = await asyncio.start_unix_server(self._listener, self.socket)

    async def _listener(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(msgspec.json.encode(SignalsHello(epoch="a", first_seq=1)) + b"\n")
        self.writers.append(writer)

    def say(self, **what: Any) -> None:
        self.writers[-1].write(msgspec.json.encode(answer(experiment="e", **what)) + b"\n")

    async def stop(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # they are closed in the loop's next round


class SlowGateway:
    """A router whose gateway does not answer."""

    revision, running = 0, False

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = False

    async def push(self) -> None:
        self.asked = True
        await self.answers.wait()

    def counters(self, experiment: str) -> None:
        return None

    def acknowledged(self, route: object) -> bool:
        return False


class NoOperations:
    def of_engine(self, engine: str) -> None:
        return None

    def all(self) -> tuple[()]:
        return ()


class NoEngines:
    operations = NoOperations()

    def serving(self, engine: str) -> tuple[()]:
        return ()

    def proven(self, engine: str, now: float) -> dict[str, float]:
        return {}

    def deployment(self, engine: str) -> None:
        return None


@contextlib.asynccontextmanager
async def judging() -> AsyncIterator[tuple[Experiments, Analyser, SlowGateway]]:
    with short_folder() as folder:
        store, paths = Store(folder / "agent.db"), Paths(state=folder, runtime=folder, models=folder)
        thresholds = Thresholds(min_outputs=1)
        state = RolloutState(stage="ab_test", weight_bp=1000)
        record = ExperimentRecord(
            name="e", served_name="a", control="c", treatment="t", thresholds=thresholds, state=state
        )
        store.put(KIND, "e", record)
        experiments, analyser = Experiments("h", store, Hub("h", "0", sample()), paths), Analyser(folder / "s.sock")
        gateway = SlowGateway()
        experiments.connect(NoEngines(), gateway)  # type: ignore[arg-type]
        task = asyncio.create_task(experiments.watch.hear(AnswerFeed(folder / "s.sock")))
        try:
            yield experiments, analyser, gateway
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await analyser.stop()
            store.close()


async def test_who_hears_no_answers_judges_nothing() -> None:
    async with judging() as (experiments, analyser, _):
        assert experiments.judged() == ()
        await analyser.start()
        await eventually(lambda: experiments.judged() == ("e",))
        await analyser.stop()
        await eventually(lambda: experiments.judged() == ())


async def test_who_ponders_one_answer_for_too_long_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judging() as (experiments, analyser, gateway):
        await analyser.start()
        await eventually(lambda: experiments.judged() == ("e",))
        analyser.say(variant="control", seq=1)
        for number in range(50):
            analyser.say(variant="treatment", seq=2 + number, repetition=True, user=f"{number:016x}")
        await eventually(lambda: gateway.asked)  # the treatment loops: it is rolled back, and that takes long
        assert experiments.judged() == ("e",)
        monkeypatch.setattr(hearing, "STUCK_S", 0.0)
        assert experiments.judged() == ()
        gateway.answers.set()
        await eventually(lambda: experiments.judged() == ("e",))
