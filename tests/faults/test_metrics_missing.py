"""Fault 24: nothing is heard of what users are answered, or no number of it: nothing rises, then everyone goes back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from quantdeck_core.protocol.signals import SignalsHello
from support.answers import answer
from support.played_rollout import (
    FIRST_BP,
    GOOD,
    LONG_S,
    SECOND_BP,
    PlayedRollout,
    played_rollout,
    step,
)
from support.traffic import Traffic

SOAK_S = 3.0
DEADLINE_S = 5.0
NO_NUMBER = '{"choices": [{"text": "%s"}], "usage": {"prompt_tokens": NaN, "completion_tokens": 1e999}}'


def signals_socket(it: PlayedRollout) -> Path:
    """Where the agent hears answers."""
    return it.host.agent.folder / "run" / "signals.sock"


def kill_analyser(it: PlayedRollout) -> None:
    """Whoever listens to it is cut off; the gateway starts another one."""
    it.analyser().send_signal(signal.SIGKILL)


@contextlib.contextmanager
def dead_socket(it: PlayedRollout) -> Iterator[None]:
    """Nobody can be reached where answers are heard."""
    socket, away = signals_socket(it), signals_socket(it).with_suffix(".away")
    socket.rename(away)
    kill_analyser(it)
    try:
        yield
    finally:
        away.rename(socket)


async def _soaking(it: PlayedRollout, users: Traffic, missing_deadline_s: float) -> None:
    await it.start(step(FIRST_BP, SOAK_S, 20), step(SECOND_BP, LONG_S), missing_deadline_s=missing_deadline_s)
    await it.at(FIRST_BP)
    await users.more(10)


async def _went_back(it: PlayedRollout, why: str) -> None:
    """Everyone, by itself, and latched."""
    back = await it.when(lambda now: now.state.latched)
    assert (back.state.by, back.state.weight_bp, back.state.from_bp) == ("quantdeck", 0, FIRST_BP)
    assert back.state.reason.startswith("no metrics for")
    assert why in back.state.reason
    route = await it.route()
    assert (route.latched, route.weight_bp, route.effective_weight_bp) == (True, 0, 0)
    await it.paged("no metrics")


async def test_a_plan_holds_while_nothing_is_heard_and_goes_on_when_something_is(
    demo_models: Path, tmp_path: Path
) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await _soaking(it, users, 60.0)
        with dead_socket(it):
            held = await it.progress_when(lambda now: any("no metrics" in one for one in now.waits_for))
            assert any(one.startswith("everyone goes back in") for one in held.waits_for)
            # Told after a fifteenth of the deadline: by then the soak would be over.
            await it.paged("no metrics of the treatment")
            later = await it.progress()
            assert (later.soaked_s, later.weight_bp) == (held.soaked_s, FIRST_BP)
        up = await it.at(SECOND_BP)
        assert (up.state.latched, users.failures) == (False, [])


async def test_at_the_deadline_everyone_goes_back(demo_models: Path, tmp_path: Path) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await _soaking(it, users, DEADLINE_S)
        with dead_socket(it):
            await _went_back(it, "the gateway's analyser is not heard")
        await users.more(10)
        assert (await it.host.state()).state.latched
        assert users.failures == []
        users.by_variant.clear()
        await users.more(20)
        assert set(users.by_variant) == {"control"}


async def _analyser_stopped(it: PlayedRollout, users: Traffic) -> None:
    """It is there and says nothing: that shows by what the gateway has answered meanwhile."""
    it.analyser().send_signal(signal.SIGSTOP)
    await it.progress_when(lambda now: any("none was heard" in one for one in now.waits_for), 60)
    assert (await it.host.state()).state.weight_bp == FIRST_BP


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_an_analyser_that_hangs_is_missed_and_heard_again(demo_models: Path, tmp_path: Path) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await it.start(step(FIRST_BP, 40.0, 20), step(SECOND_BP, LONG_S), missing_deadline_s=60.0)
        await it.at(FIRST_BP)
        await users.more(10)
        await _analyser_stopped(it, users)
        it.analyser().send_signal(signal.SIGCONT)
        up = await it.at(SECOND_BP, 60)
        assert (up.state.latched, users.failures) == (False, [])


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_an_analyser_that_hangs_until_the_deadline_puts_everyone_back(demo_models: Path, tmp_path: Path) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await it.start(step(FIRST_BP, LONG_S), missing_deadline_s=DEADLINE_S)
        await it.at(FIRST_BP)
        await users.more(10)
        await _analyser_stopped(it, users)
        await _went_back(it, "none was heard")
        assert users.failures == []


async def test_an_engine_that_writes_nan_has_failed(demo_models: Path, tmp_path: Path) -> None:
    """NaN is no JSON: no client can read such an answer."""
    async with played_rollout(demo_models, tmp_path) as it:
        it.treatment.plays(answer=NO_NUMBER % GOOD)
        async with it.traffic():
            await it.start(step(FIRST_BP, SOAK_S, 20), step(SECOND_BP, LONG_S))
            back = await it.when(lambda now: now.state.latched)
            assert "failed answers" in back.state.reason


class OtherAnalyser:
    """Says what a test wants, where the gateway's analyser would be heard; one line after the other, for ever."""

    def __init__(self, socket: Path, *lines: bytes) -> None:
        self._socket, self._lines = socket, lines

    async def __aenter__(self) -> OtherAnalyser:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_unix_server(self._listener, self._socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.unlink()

    async def _listener(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await reader.readline()
            writer.write(msgspec.json.encode(SignalsHello(epoch="other", first_seq=1)) + b"\n")
            for line in itertools.cycle(self._lines):
                await asyncio.sleep(0.2)
                writer.write(line + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # the agent listens no more
        finally:
            writer.transport.abort()


async def test_a_latency_that_is_no_number_is_a_missing_one(demo_models: Path, tmp_path: Path) -> None:
    async with played_rollout(demo_models, tmp_path) as it, it.traffic() as users:
        await it.start(step(FIRST_BP, LONG_S), missing_deadline_s=DEADLINE_S)
        await it.at(FIRST_BP)
        heard = msgspec.json.encode(answer(seq=10**9, e2e_ms=0.125))
        with dead_socket(it):
            async with OtherAnalyser(signals_socket(it), heard.replace(b"0.125", b"NaN")):
                await _went_back(it, "the gateway's analyser is not heard")
        assert users.failures == []
