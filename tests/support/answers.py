"""Answers for tests."""

from __future__ import annotations

from typing import Any

from quantdeck_core.drift.observation import Observation, observation_of
from quantdeck_core.protocol.signals import AnswerSignals


def answer(**changes: Any) -> AnswerSignals:
    """A healthy answer of the treatment, but for what is given."""
    values: dict[str, Any] = {
        "seq": 1,
        "experiment": "e",
        "variant": "treatment",
        "generation": 1,
        "replica": "treatment.1",
        "user": "0123456789abcdef",
        "t": 1000.0,
        "status": 200,
        "complete": True,
        "stream": True,
        "finish_reason": "stop",
        "prompt_tokens": 12,
        "completion_tokens": 50,
        "ttft_ms": 20.0,
        "e2e_ms": 520.0,
        "repetition": False,
        "refusal": False,
        "coherence": 1.0,
        "words": 40,
    }
    return AnswerSignals(**{**values, **changes})


def observation(**changes: Any) -> Observation:
    """The same as a judge hears it."""
    return observation_of(answer(**changes))
