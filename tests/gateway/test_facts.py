"""What an agent hears of an answer beside its text: segment, length of the prompt, gaps between events, ends."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.lab.engine import PACE_S
from gateway.lab.process import Experiment, Gateway, SignalsFeed
from quantdeck_core.protocol.gateway import Shadow
from quantdeck_core.protocol.signals import AnswerSignals
from support.answers import answer


async def told(gateway: Gateway, feed: SignalsFeed, name: str, body: object, **headers: str) -> AnswerSignals:
    sent = {"x-user-id": "u", **{key.replace("_", "-"): value for key, value in headers.items()}}
    await gateway.ask("POST", "/v1/chat/completions", json.dumps(body).encode(), sent)
    return await feed.next(name)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("eu-gold", "eu-gold"),
        ("a", "a"),
        ("0.9_x-y", "0.9_x-y"),
        ("a" * 32, "a" * 32),
        ("a" * 33, ""),
        ("EU", ""),
        ("-a", ""),
        (".a", ""),
        ("two words", ""),
        ("größe", ""),
        ("", ""),
    ],
)
async def test_a_segment_is_a_name_or_nothing(gateway: Gateway, experiment: Experiment, sent: str, kept: str) -> None:
    await gateway.serve(experiment.route())
    feed = await gateway.listen()
    assert (await told(gateway, feed, experiment.name, {}, x_quantdeck_segment=sent)).segment == kept
    assert "segment" not in experiment.control.seen[-1][0].lower()
    await feed.close()


async def test_a_shadow_has_the_segment_of_its_request(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(msgspec.structs.replace(experiment.route(), shadow=Shadow(share_bp=10_000)))
    feed = await gateway.listen()
    body = {"stream": True, "act": "paced", "text": "a b c"}
    both = [await told(gateway, feed, experiment.name, body, x_quantdeck_segment="s"), await feed.next(experiment.name)]
    assert {(one.shadow, one.segment) for one in both} == {(False, "s"), (True, "s")}
    for one in both:
        assert one.prompt_bytes == len(experiment.control.seen[0][1])
        assert one.itl_ms is not None
        assert one.itl_ms > 0.8 * PACE_S * 1e3
    await feed.close()


async def test_a_prompt_is_long_by_the_engines_count_or_else_by_its_bytes(
    gateway: Gateway, experiment: Experiment
) -> None:
    await gateway.serve(experiment.route())
    feed = await gateway.listen()
    long = "x" * 8_000
    counted = await told(gateway, feed, experiment.name, {"messages": long})
    assert (counted.prompt_tokens, counted.prompt_bytes, counted.long) == (7, 0, False)
    for text, is_long in ((long, True), ("short", False)):
        one = await told(gateway, feed, experiment.name, {"messages": text, "stream": True})
        assert (one.prompt_tokens, one.long) == (None, is_long)
        assert one.prompt_bytes == len(experiment.control.seen[-1][1])
    await feed.close()


def test_two_thousand_tokens_are_not_long_yet() -> None:
    assert [answer(prompt_tokens=count).long for count in (2_000, 2_001)] == [False, True]
    assert [answer(prompt_tokens=None, prompt_bytes=count).long for count in (8_000, 8_001)] == [False, True]


async def test_gaps_between_events_and_what_ended_it(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    feed = await gateway.listen()
    paced = await told(gateway, feed, experiment.name, {"stream": True, "act": "paced", "text": "a b c d"})
    assert paced.itl_ms is not None
    assert 0.8 * PACE_S * 1e3 < paced.itl_ms < paced.e2e_ms
    assert paced.truncated
    whole = await told(gateway, feed, experiment.name, {"text": "a b"})
    assert (whole.itl_ms, whole.truncated, whole.empty) == (None, False, False)
    assert (await told(gateway, feed, experiment.name, {"text": " "})).empty
    assert not (await told(gateway, feed, experiment.name, {"act": "fail"})).empty
    await feed.close()


def test_a_line_says_only_what_is_unusual() -> None:
    line = msgspec.json.encode(answer(finish_reason=None, prompt_tokens=None, ttft_ms=None))
    for name in (b"segment", b"loop", b"garbled", b"empty", b"cut", b"shadow", b"itl_ms", b"prompt_bytes", b"ttft_ms"):
        assert name not in line
    assert msgspec.json.decode(line, type=AnswerSignals).loop == ""
