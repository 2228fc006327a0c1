"""Engines that answer badly, or not at all: nothing is concluded from what was not said, and nobody waits for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.canary_trial import Trial
from support.played_engine import PlayedEngine

PROMPTS = {"prompts": ["one two three", "four five six", "seven eight nine", "ten eleven twelve"]}


@pytest.fixture
def bad(tmp_path: Path) -> PlayedEngine:
    return PlayedEngine(tmp_path / "bad")


@pytest.fixture
def good(tmp_path: Path) -> Iterator[str]:
    """A control that answers well."""
    engine = PlayedEngine(tmp_path / "good")
    engine.plays(answer=completion())
    with engine.serving() as url:
        yield url


def completion(logprob: str = "-0.1", *, text: str = "Yes, it is.", logprobs: bool = True) -> str:
    named = [{"token": " Yes", "logprob": -0.1}, {"token": " No", "logprob": "VALUE"}]
    choice = {"text": text, "finish_reason": "stop"}
    more = {"logprobs": {"content": [{"token": " Yes", "logprob": -0.1, "top_logprobs": named}]}} if logprobs else {}
    body = {"choices": [choice | more], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    return json.dumps(body).replace('"VALUE"', logprob if logprob != "-0.1" else "-3.0")


async def test_an_engine_without_log_probabilities_is_judged_by_signals(
    trial: Trial, good: str, bad: PlayedEngine
) -> None:
    bad.plays(answer=completion(logprobs=False))
    with bad.serving() as url:
        trial.serve(good, url, **PROMPTS)
        report = await trial.runner.run_now("e")
        assert report.outcome == "passed"
        assert "could not be compared" in report.reason
        assert report.note == "treatment.2 gives no log probabilities (its answers have none)"
        bad.plays(answer=completion(logprobs=False, text="again and again we go " * 12))
        report = await trial.runner.run_now("e")
        assert (report.outcome, report.suspect) == ("failed", "treatment")
        assert "4 of the treatment's 4 answers loop, 0 of the control's" in report.reason


@pytest.mark.parametrize("value", ["NaN", "null"])
async def test_log_probabilities_that_are_no_numbers_fail(
    trial: Trial, good: str, bad: PlayedEngine, value: str
) -> None:
    bad.plays(answer=completion(value))
    with bad.serving() as url:
        trial.serve(good, url, **PROMPTS)
        report = await trial.runner.run_now("e")
    assert (report.outcome, report.suspect) == ("failed", "treatment")
    assert "are no numbers at" in report.reason


@pytest.mark.parametrize("plays", [{"cuts": True}, {"status": 500}, {"status": 401}, {"answer": "<html>"}], ids=str)
async def test_answers_that_are_none_fail(trial: Trial, good: str, bad: PlayedEngine, plays: dict[str, object]) -> None:
    bad.plays(answer=completion())
    with bad.serving() as url:
        trial.serve(good, url, **PROMPTS)
        assert (await trial.runner.run_now("e")).outcome == "passed"
        bad.plays(**plays)
        report = await trial.runner.run_now("e")
    assert (report.outcome, report.suspect) == ("failed", "treatment"), report.reason
    assert "no answer to 4 prompts that the control answers" in report.reason
    assert trial.runner.current("e") == report


async def test_an_engine_that_hangs_is_given_up(trial: Trial, good: str, bad: PlayedEngine) -> None:
    bad.plays(hangs=True)
    trial.limited(request_s=0.5)
    with bad.serving() as url:
        trial.serve(good, url, **PROMPTS)
        report = await trial.runner.run_now("e")
    assert (report.outcome, report.suspect) == ("unavailable", "treatment")
    assert "no answer within 0.5 s" in report.reason
    assert trial.runner.current("e") is None


async def test_a_run_that_came_to_nothing_leaves_what_was_known(trial: Trial, good: str, bad: PlayedEngine) -> None:
    bad.plays(answer=completion())
    trial.limited(request_s=0.5)
    with bad.serving() as url:
        trial.serve(good, url, **PROMPTS)
        passed = await trial.runner.run_now("e")
        bad.plays(hangs=True)
        hung = await trial.runner.run_now("e")
    assert (passed.outcome, hung.outcome) == ("passed", "unavailable")
    assert trial.runner.current("e") == passed
    assert trial.runner.report("e") == hung
    assert not trial.runner.state("e").current
