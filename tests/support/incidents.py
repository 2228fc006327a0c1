"""Incidents as agents would report them: a treatment whose restart loaded another checkpoint, and a calm one."""

from __future__ import annotations

import itertools
from typing import Any

from quantdeck_core.drift.observation import Observation
from quantdeck_core.engines.started import Start, changes
from quantdeck_core.incident.findings import findings, onset
from quantdeck_core.incident.replay import Replayed, ReplayReport, conclude
from quantdeck_core.incident.trend import Trend
from quantdeck_core.protocol.alerts import Page, PageList
from quantdeck_core.protocol.experiment import ExperimentStatus, TimelineEntry
from quantdeck_core.protocol.incident import IncidentReport
from support.fake_link import FakeLink
from support.fleets import NOW, experiment, replace, rolled_back

LATER = NOW + 900.0
"""When somebody looks at it."""
RESTARTED = NOW - 250.0
MINUTE = 60.0

CONTROL_STARTS = (
    Start(
        generation=1, t=NOW - 9_000, profile="tiny-f16", model="tiny-f16.gguf", sha256="3f" * 32, version="2026.9.1",
        argv=("xllamacpp-server", "--model", "/models/tiny-f16.gguf", "--port", "9001", "--ctx-size", "4096"),
    ),
)  # fmt: skip
TREATMENT_STARTS = (
    Start(
        generation=1, t=NOW - 1_420, profile="tiny-q4_0", model="tiny-q4_0.gguf", sha256="ab" * 32, version="2026.9.1",
        argv=("xllamacpp-server", "--model", "/models/tiny-q4_0.gguf", "--port", "9002", "--ctx-size", "4096"),
    ),
    Start(
        generation=2, t=RESTARTED, profile="tiny-q4_0", model="tiny-q4_0.gguf", sha256="cd" * 32, version="2026.9.1",
        argv=("xllamacpp-server", "--model", "/models/tiny-q4_0.gguf", "--port", "9003", "--ctx-size", "2048"),
    ),
)  # fmt: skip


def story(*, bad: bool) -> Trend:
    """75 minutes: a control that is well, and a treatment that loops from its restart on and has no users after."""
    trend = Trend()
    for minute, number in itertools.product(range(75), range(24)):
        t = NOW - 3_600 + minute * MINUTE
        broken = bad and t >= RESTARTED
        where: dict[str, Any] = {"t": t, "long": number % 4 == 0, "segment": "eu" if number % 3 else "us"}
        refusal, loops = (minute * number) % 41 == 1, (minute + number) % 97 == 0
        trend.add(Observation(variant="control", words=38 + number % 7, repetition=loops, refusal=refusal, **where))
        if number % 2 == 0 and not (bad and t > NOW - 13):
            loops, whole = broken and number % 4 == 0, not (broken and number == 22)
            words = (81 if loops else 40) + number % 5
            wrong = {"repetition": loops, "refusal": refusal, "complete": whole}
            trend.add(Observation(variant="treatment", words=words, **wrong, **where))
    return trend


def line(t: float, kind: str, text: str, by: str = "ada") -> TimelineEntry:
    return TimelineEntry(t=t, kind=kind, text=text, by=by)


def broken_timeline(before: ExperimentStatus) -> tuple[TimelineEntry, ...]:
    """What led to it, and what people did since."""
    changed = "; ".join(changes(*TREATMENT_STARTS))
    started = f"treatment.2 started: tiny-q4_0.gguf {'cd' * 6}, xllamacpp 2026.9.1; {changed}"
    return (
        *before.timeline,
        line(NOW - 600, "verdict", "healthy: as good as the control", "quantdeck"),
        line(NOW - 190 - 300, "weight", "weight 10 % -> 50 %"),
        line(RESTARTED - 2, "engine", "treatment.1: ended by itself: out of memory", "quantdeck"),
        line(RESTARTED, "restart", f"started as tiny-q4_0 with another {changed}", "quantdeck"),
        line(RESTARTED, "start", started, "quantdeck"),
        line(NOW - 40, "verdict", "breach: 33.3% of answers loop, limit 15%", "quantdeck"),
        line(NOW - 13, "rollback", "rolled back from 50 %: 33.3% of answers loop, limit 15%", "quantdeck"),
        line(NOW + 120, "alert", "page 7 (rolled back): Acknowledged by bo: I look.", "bo"),
        line(NOW + 400, "freeze", "automation frozen: incident, ask bo", "bo"),
    )


def broken_experiment() -> ExperimentStatus:
    """Rolled back a quarter of an hour ago."""
    status = rolled_back()
    return replace(
        status,
        state=replace(status.state, reason="33.3% of answers loop, limit 15%, the control does not loop"),
        timeline=broken_timeline(experiment())[-20:],
    )


def report(status: ExperimentStatus | None = None, *, bad: bool = True, **changed: Any) -> IncidentReport:
    """What the agent says of it; calm where it is not `bad`."""
    status = status or (broken_experiment() if bad else experiment())
    trend = story(bad=bad)
    began = onset(trend.by_time())
    since = began.t if began else 0.0
    by_length, by_segment = trend.by_length(since), trend.by_segment(since)
    told = IncidentReport(
        host="rack-1",
        experiment=status.name,
        at=LATER,
        state=status.state,
        verdict=status.verdict,
        findings=findings(trend.by_time(), by_length, by_segment, status.timeline),
        timeline=status.timeline,
        control_starts=CONTROL_STARTS,
        treatment_starts=TREATMENT_STARTS if bad else TREATMENT_STARTS[:1],
        by_time=trend.by_time(),
        by_length=by_length,
        by_segment=by_segment,
        flagged=23 if bad else 0,
        last_rollback=status.last_rollback,
    )
    return replace(told, **changed)


def saying(text: str, name: str, found: tuple[str, ...]) -> IncidentReport:
    """A report that has a text wherever one can be, of an experiment and a host of a name."""
    status = broken_experiment()
    start = Start(
        generation=1, t=NOW, profile=text, model=text, sha256=text, argv=(text, "--x", text), version=text
    )  # fmt: skip
    rows = story(bad=True).by_segment()
    return report(
        replace(status, name=name),
        host=name,
        findings=found,
        control_starts=(start, replace(start, t=NOW + 1, version="2")),
        timeline=(line(NOW + 1, "start", text, text), line(NOW, text, text, "")),
        by_segment=tuple(replace(row, label=text) for row in rows),
        verdict=replace(status.verdict, reason=text),
        state=replace(status.state, reason=text, by=text),
        replay=conclude([Replayed(t=NOW, flags=(text, text), control=(text,), error=text)]),
    )


def replayed(prompt: str = "") -> ReplayReport:
    """Twelve prompts: the treatment goes wrong on most of them, the control on one."""
    return conclude(
        [
            Replayed(
                t=NOW - 20 - number, flags=("loop",), control=("refusal",) if number == 4 else (),
                treatment=() if number == 9 else ("loop",), prompt=prompt,
            )
            for number in range(11)
        ]
        + [
            Replayed(
                t=NOW - 60, flags=("loop", "garbled"), control=(), error="treatment: no answer within 60 s",
                prompt=prompt,
            )
        ]
    )  # fmt: skip


def pages(*found: Page) -> PageList:
    """Pages of a host."""
    return PageList(now=LATER, pages=found)


def page(**changed: Any) -> Page:
    """Of the rollback."""
    told = Page(
        id=7, key="rack-1/int4_v1/rollback", experiment="int4_v1", text="rolled back from 50 %", began=NOW - 13,
        last=NOW - 13, hint="quantdeck incident int4_v1",
    )  # fmt: skip
    return replace(told, **changed)


def tells(link: FakeLink, told: IncidentReport, *, host: str = "rack-1", listed: PageList | None = None) -> None:
    """Have a host answer with a report, and with its pages."""
    link.pages[(host, f"/v1/experiments/{told.experiment}/incident")] = told
    if listed:
        link.pages[(host, "/v1/alerts")] = listed
