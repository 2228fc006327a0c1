"""What of a question and of its answer is written down: nothing of what users wrote."""

from __future__ import annotations

import hashlib

import msgspec

from quantdeck_core.incident.replay import ReplayReport
from quantdeck_core.protocol.alerts import Page
from quantdeck_core.protocol.canary import CanaryState, LatencyState
from quantdeck_core.protocol.drill import DrillRecord
from quantdeck_core.protocol.incident import IncidentReport
from quantdeck_core.protocol.operation import Intended
from quantdeck_core.protocol.requests import Applied

_QUESTIONS = frozenset({"/v1/engines/plan"})
"""Sent with a body, and change nothing."""
_HARMLESS = (Applied, CanaryState, DrillRecord, Intended, LatencyState, Page)
"""Answers to what was sent with a body; others may hold that body's text, as an answer to a prompt does."""


def changes(method: str, path: str) -> bool:
    """Whether asking this changes something on the host."""
    return method != "GET" and path not in _QUESTIONS


def about(path: str, body: msgspec.Struct | None) -> str:
    """Tells questions of one path apart; who asks, and in which request, makes no difference."""
    if body is None or path not in _QUESTIONS:
        return ""
    said = {key: value for key, value in msgspec.to_builtins(body).items() if key not in ("request_id", "by")}
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16]


def kept(method: str, answer: object) -> object | None:
    """An answer as it may be written down; None where it may not."""
    if isinstance(answer, IncidentReport) and answer.replay:
        return msgspec.structs.replace(answer, replay=_without_prompts(answer.replay))
    if isinstance(answer, ReplayReport):
        return _without_prompts(answer)
    return answer if method == "GET" or isinstance(answer, _HARMLESS) else None


def _without_prompts(report: ReplayReport) -> ReplayReport:
    prompts = tuple(msgspec.structs.replace(one, prompt="") for one in report.prompts)
    return msgspec.structs.replace(report, prompts=prompts)
