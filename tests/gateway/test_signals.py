"""From an answer to its signals, through the analyser process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

import pytest

from gateway.lab.process import Experiment, Gateway, children, rss_mib
from quantdeck_core.hashing import split_digest
from quantdeck_core.protocol.signals import SignalsAsk
from support.waiting import eventually

LOOP = "the same words again " * 30
HEALTHY = (
    "Water boils at a lower temperature on a mountain because the air presses less on its surface there, and so "
    "its molecules need less energy to leave it; pasta therefore takes longer to cook than at the sea."
)


@pytest.fixture
async def served(gateway: Gateway, experiment: Experiment) -> Experiment:
    """Everybody is on the control."""
    await gateway.serve(experiment.route())
    return experiment


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("text", "looping"), [(LOOP, True), (HEALTHY, False)])
async def test_a_loop_is_seen(gateway: Gateway, served: Experiment, stream: bool, text: str, looping: bool) -> None:
    feed = await gateway.listen()
    before = time.time()
    await gateway.chat(user="anna", stream=stream, text=text)
    one = await feed.next(served.name)
    assert (one.repetition, one.words, one.refusal) == (looping, len(text.split()), False)
    assert (one.variant, one.generation, one.replica) == ("control", 3, "control")
    assert (one.status, one.complete, one.stream) == (200, True, stream)
    assert one.finish_reason == ("length" if stream else "stop")
    assert one.user == split_digest(served.name, "anna").hex()[:16]
    assert (one.ttft_ms is not None) is stream
    assert one.e2e_ms > 0
    assert before - 1 < one.t < time.time() + 1
    await feed.close()


async def test_signals_come_soon(gateway: Gateway, served: Experiment) -> None:
    feed = await gateway.listen()
    delays = []
    for _ in range(20):
        await gateway.chat(text=HEALTHY)
        one = await feed.next(served.name)
        delays.append(time.time() - one.t)
    assert sorted(delays)[10] < 0.1
    await feed.close()


async def test_failures_are_told(gateway: Gateway, served: Experiment) -> None:
    feed = await gateway.listen()
    for act, stream, status in (("fail", False, 500), ("reset", False, 0), ("reset-mid", True, 0)):
        await gateway.chat(user="", act=act, stream=stream, text="a b c")
        one = await feed.next(served.name)
        assert (one.status, one.complete, one.user) == (status, False, "")
    await gateway.serve(served.route(control=[]))
    await gateway.chat()
    one = await feed.next(served.name)
    assert (one.status, one.complete, one.replica) == (503, False, "")
    await feed.close()


async def test_reader_comes_back(gateway: Gateway, served: Experiment) -> None:
    feed = await gateway.listen()
    for text in ("one", "one two", "one two three"):
        await gateway.chat(text=text)
    first = await feed.next(served.name)
    await feed.close()
    again = await gateway.listen(SignalsAsk(epoch=feed.hello.epoch, after=first.seq))
    assert again.hello.epoch == feed.hello.epoch
    rest = [await again.next(served.name) for _ in range(2)]
    assert [(one.seq, one.words) for one in rest] == [(first.seq + 1, 2), (first.seq + 2, 3)]
    await again.close()
    stranger = await gateway.listen(SignalsAsk(epoch="of an earlier life", after=10_000))
    assert [(await stranger.next(served.name)).words for _ in range(3)] == [1, 2, 3]
    await stranger.close()


async def test_analyser_killed(gateway: Gateway, served: Experiment) -> None:
    feed = await gateway.listen()
    (analyser,) = children(gateway.process.pid)
    os.kill(analyser, signal.SIGKILL)
    replies = await asyncio.gather(*(gateway.chat(stream=True) for _ in range(20)))
    assert all(reply.whole for reply in replies)
    await feed.close()
    await eventually(lambda: children(gateway.process.pid) not in ([], [analyser]))
    again = await gateway.listen(SignalsAsk(epoch=feed.hello.epoch, after=10_000))
    assert again.hello.epoch != feed.hello.epoch
    for number in range(64):  # it was behind, so that for a second it may get a sample of the users only
        await gateway.chat(user=f"u{number}", text="new life")
    while (one := await again.next(served.name)).words != 2:
        pass
    assert one.seq >= 1
    await again.close()


async def test_text_and_prompts_are_in_no_log(gateway: Gateway, served: Experiment) -> None:
    body = {"messages": [{"role": "user", "content": "canary-prompt"}], "text": "canary-answer"}
    await gateway.ask("POST", "/v1/chat/completions", json.dumps(body).encode(), {"x-user-id": "canary-user"})
    metrics = (await gateway.ask("GET", "/metrics")).body
    for where in (gateway.log.read_bytes(), gateway.config_file.read_bytes(), metrics):
        assert b"canary" not in where


async def test_memory(gateway: Gateway) -> None:
    for pid in (gateway.process.pid, *children(gateway.process.pid)):
        assert rss_mib(pid) < 128  # after all the tests' large bodies; idle figures are the benchmark's
