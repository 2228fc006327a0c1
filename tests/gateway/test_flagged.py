"""The prompts of flagged answers: kept in memory, within bounds, and handed to an agent that asks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import msgspec
import pytest

from gateway.lab.process import Experiment, Gateway, children
from quantdeck_agent.gateway.flagged import flagged
from quantdeck_core.errors import UnreachableError
from quantdeck_core.protocol.gateway import ExperimentRoute, Shadow
from quantdeck_core.protocol.signals import FlaggedPrompt
from quantdeck_gateway.analyser.answers import to_answer, to_signals
from quantdeck_gateway.analyser.flagged import ALL_BYTES, EXPIRE_S, MOST_BYTES, MOST_PER_ARM, FlaggedPrompts
from quantdeck_gateway.handover import FinishedAnswer
from support.texts import ENGLISH
from support.waiting import eventually

LOOP = "the same words again " * 30
REFUSAL = "I cannot help with that."


def finished(prompt: bytes | None, text: str = LOOP, experiment: str = "e", variant: str = "control") -> FinishedAnswer:
    body = json.dumps({"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}).encode()
    return FinishedAnswer(
        experiment, variant, 1, "r", "u", 1.0, 200, True, False, False, None, 2.0, body, prompt=prompt
    )  # type: ignore[arg-type]


def asked(text: str, **more: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


class Keeper(FlaggedPrompts):
    """Notes answers with their signals."""

    def take(self, answer: FinishedAnswer, now: float = 0.0) -> None:
        self.note(answer, to_signals(to_answer(answer), 1), now)

    def prompts(self, experiment: str = "e", now: float = 0.0) -> list[FlaggedPrompt]:
        return [msgspec.json.decode(line, type=FlaggedPrompt) for line in self.lines(experiment, now).splitlines()]

    def texts(self, experiment: str = "e", now: float = 0.0) -> list[str]:
        return [json.loads(bytes(one.request))["messages"][0]["content"] for one in self.prompts(experiment, now)]


@pytest.mark.parametrize(
    "text", [LOOP, REFUSAL, "", "a\ufffdb\ufffdc\ufffd"], ids=["loop", "refusal", "empty", "garbled"]
)
def test_flagged_answers_have_their_prompts_kept(text: str) -> None:
    kept = Keeper()
    kept.take(finished(asked("why?", temperature=0.5, user="ana", metadata={"who": "ana"}), text))
    (one,) = kept.prompts()
    assert json.loads(bytes(one.request)) == {"messages": [{"role": "user", "content": "why?"}], "temperature": 0.5}
    assert one.answer.flagged
    assert one.answer.variant == "control"
    assert text[:12] not in json.dumps(msgspec.to_builtins(one.answer)) or not text


def test_others_have_not() -> None:
    kept = Keeper()
    kept.take(finished(asked("why?"), ENGLISH))
    kept.take(finished(b""))
    kept.take(finished(b"no JSON"))
    kept.take(finished(b"[1]"))
    assert (kept.lines("e", 0.0), kept.bytes) == (b"", 0)


def test_the_last_of_each_arm() -> None:
    kept = Keeper()
    kept.take(finished(asked("first of the treatment"), variant="treatment"))
    for number in range(MOST_PER_ARM + 10):
        kept.take(finished(asked(f"p{number}")), now=number)
    assert kept.texts() == ["first of the treatment", *(f"p{number}" for number in range(10, MOST_PER_ARM + 10))]


def test_long_ones_are_left_out_and_all_together_are_bounded() -> None:
    kept = Keeper()
    kept.take(finished(asked("x" * MOST_BYTES)))
    assert kept.bytes == 0
    for number in range(MOST_PER_ARM):
        for experiment in ("e", "f"):
            kept.take(finished(asked(f"{number} " + "x" * (MOST_BYTES - 2_000)), experiment=experiment), now=number)
    assert ALL_BYTES - MOST_BYTES < kept.bytes <= ALL_BYTES
    for experiment in ("e", "f"):
        left = [int(text.split()[0]) for text in kept.texts(experiment)]
        assert left == [*range(left[0], MOST_PER_ARM)]
        assert len(left) > 10


def test_they_expire() -> None:
    kept = Keeper()
    kept.take(finished(asked("old")), now=0.0)
    kept.take(finished(asked("new")), now=EXPIRE_S / 2)
    assert kept.texts(now=EXPIRE_S - 1) == ["old", "new"]
    assert kept.texts(now=EXPIRE_S) == ["new"]
    kept.expire(EXPIRE_S * 2)
    assert (kept.texts(), kept.bytes) == ([], 0)


def test_they_are_forgotten_when_the_experiment_keeps_none_any_more() -> None:
    kept = Keeper()
    for experiment in ("e", "f"):
        kept.take(finished(asked("why?"), experiment=experiment))
    kept.take(finished(None, ENGLISH))
    assert (kept.texts("e"), kept.texts("f")) == ([], ["why?"])
    kept.forget("f")
    assert kept.bytes == 0


def keeping(experiment: Experiment) -> ExperimentRoute:
    return msgspec.structs.replace(experiment.route(), keep_flagged=True)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_agent_asks_for_them(gateway: Gateway, experiment: Experiment, stream: bool) -> None:
    await gateway.serve(keeping(experiment))
    feed = await gateway.listen()
    for text in (ENGLISH, REFUSAL, LOOP):
        await gateway.chat(text=text, stream=stream, temperature=0.25)
        signals = await feed.next(experiment.name)
    await feed.close()
    found = await flagged(gateway.signals, experiment.name)
    assert [json.loads(bytes(one.request))["text"] for one in found] == [REFUSAL, LOOP]
    assert json.loads(bytes(found[0].request))["temperature"] == 0.25
    assert found[1].answer == signals
    assert await flagged(gateway.signals, "another") == ()


async def test_off_by_default(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    feed = await gateway.listen()
    await gateway.chat(text=LOOP)
    assert (await feed.next(experiment.name)).flagged
    assert await flagged(gateway.signals, experiment.name) == ()
    await gateway.serve(keeping(experiment))
    await gateway.chat(text=LOOP)
    await feed.next(experiment.name)
    assert len(await flagged(gateway.signals, experiment.name)) == 1
    await gateway.serve(experiment.route())
    await gateway.chat(text="fine")
    await feed.next(experiment.name)
    assert await flagged(gateway.signals, experiment.name) == ()
    await feed.close()


async def test_of_shadows_too(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(msgspec.structs.replace(keeping(experiment), shadow=Shadow(share_bp=10_000)))
    feed = await gateway.listen()
    await gateway.chat(text=LOOP)
    for _ in range(2):
        await feed.next(experiment.name)
    await feed.close()
    found = await flagged(gateway.signals, experiment.name)
    assert {(one.answer.variant, one.answer.shadow) for one in found} == {("control", False), ("treatment", True)}


async def test_without_an_analyser(gateway: Gateway, experiment: Experiment, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError):
        await flagged(tmp_path / "missing.sock", "e")
    await gateway.serve(keeping(experiment))
    feed = await gateway.listen()
    await gateway.chat(text=LOOP)
    await feed.next(experiment.name)
    await feed.close()
    (analyser,) = children(gateway.process.pid)
    os.kill(analyser, signal.SIGKILL)
    await eventually(lambda: children(gateway.process.pid) not in ([], [analyser]))
    assert await flagged(gateway.signals, experiment.name) == ()


async def test_an_analyser_that_knows_no_such_question(tmp_path: Path) -> None:
    """It takes it for the other one, and tells signals."""

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"epoch":"1","first_seq":1}\n')
        writer.close()

    server = await asyncio.start_unix_server(old, tmp_path / "s.sock")
    with pytest.raises(UnreachableError):
        await flagged(tmp_path / "s.sock", "e")
    server.close()
