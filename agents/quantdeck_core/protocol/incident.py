"""What an agent says about an incident, and what a console asks for."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.drift.verdict import Verdict
from quantdeck_core.engines.started import Start
from quantdeck_core.incident.replay import ReplayReport
from quantdeck_core.incident.trend import TrendRow
from quantdeck_core.protocol.experiment import RollbackRecord, TimelineEntry
from quantdeck_core.rollout.state import RolloutState


class IncidentReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole story of one experiment on one host.

    Attributes:
        at: UNIX time of the report, seconds.
        findings: in sentences, the most important first.
        timeline: of the experiment and both engines, oldest first.
        control_starts, treatment_starts: what their processes were started with, oldest first.
        by_time: a row a minute, the last twelve hours; `by_length`, `by_segment` since the onset, or all of it.
        flagged: prompts held in memory whose answers were flagged, so many.
    """

    host: str
    experiment: str
    at: float
    state: RolloutState
    verdict: Verdict
    findings: tuple[str, ...]
    timeline: tuple[TimelineEntry, ...]
    control_starts: tuple[Start, ...] = ()
    treatment_starts: tuple[Start, ...] = ()
    by_time: tuple[TrendRow, ...] = ()
    by_length: tuple[TrendRow, ...] = ()
    by_segment: tuple[TrendRow, ...] = ()
    flagged: int = 0
    last_rollback: RollbackRecord | None = None
    replay: ReplayReport | None = None


class ReplayAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask the flagged prompts again.

    Attributes:
        most: so many of them, the newest first.
        prompts: have them in the answer, for an export; they are users' words.
        by: who asks, for the timeline.
    """

    most: Annotated[int, Meta(ge=1, le=128)] = 20
    prompts: bool = False
    by: str = ""


class WhoAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which arm is this user on? In a body, since a user's id has no place in a path that is logged somewhere."""

    user: Annotated[str, Meta(min_length=1, max_length=256)]
