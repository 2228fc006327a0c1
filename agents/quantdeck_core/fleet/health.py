"""How a host is, in one word and one sentence: pure, from what was heard and how long ago."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec

from quantdeck_core.fleet.cells import age, clock, weight
from quantdeck_core.fleet.state import HostView
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import Alarm, HostStatus

Level = Literal["fail", "stale", "warn", "connecting", "ok"]

WORST_FIRST: tuple[Level, ...] = ("fail", "stale", "warn", "connecting", "ok")
WORDS: dict[Level, str] = {"fail": "FAIL x", "stale": "STALE ?", "warn": "WARN !", "connecting": "...", "ok": "OK"}
"""Word and glyph together: colour only repeats what they say."""

STALE_AFTER_S = 12.0
"""Samples come every second and a heartbeat after at most 5 s: two heartbeats and their way were missed."""
AGE_SHOWN_AFTER_S = 2.0
"""Two refreshes."""
ALARM_COUNTS_S = 300.0
"""An alarm colours its host for five minutes; one with a key until its end is told."""

_STARTING = {
    "queued": "waits for its GPU",
    "starting": "is starting",
    "probing": "is being probed",
    "warming": "is warming up",
}
_TROUBLED = {
    "hung": "hangs: its port answers, and it generates nothing",
    "restarting": "ended by itself and starts again",
}


class Finding(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One thing to say about a host.

    Attributes:
        experiment: its name, where the sentence is about one.
    """

    level: Level
    text: str
    experiment: str = ""

    @property
    def sentence(self) -> str:
        """With the experiment's name in front."""
        return f"{self.experiment}: {self.text}" if self.experiment else self.text


def heard_age(view: HostView, now: float) -> float | None:
    """Seconds since the host last said anything; None while it never did."""
    return None if view.heard_at is None else max(0.0, now - view.heard_at)


def same_until(view: HostView, now: float) -> float:
    """When time alone may next change what is said of a host: ages are whole seconds, and so are the limits above."""
    connected = view.link.state == "connected"
    moments = [] if view.heard_at is None else [view.heard_at]
    if connected and view.linked_at is not None and view.linked_at > (view.heard_at or 0.0):
        moments.append(view.linked_at)
    first = AGE_SHOWN_AFTER_S if connected else 0.0
    return min((t + max(first, math.ceil(now - t)) for t in moments), default=math.inf)


def health(view: HostView, now: float) -> Finding:
    """The worst that is to say about a host, or that all is well."""
    link = _link_finding(view, now)
    known = min(_findings(view.status), key=lambda finding: WORST_FIRST.index(finding.level)) if view.status else None
    if link is None:
        return known or Finding(level="connecting", text="connected, waiting for its first report")
    if known and known.level == "fail":
        return Finding(level=link.level, text=f"{link.text}; before that {known.sentence}")
    return link


def open_alarms(status: HostStatus) -> list[Alarm]:
    """Alarms whose end was not told and that still count, the newest first."""
    ended = {alarm.key: alarm.id for alarm in status.alarms if alarm.level == "ok"}
    return [
        alarm
        for alarm in reversed(status.alarms)
        if alarm.level != "ok"
        and ended.get(alarm.key, 0) <= alarm.id
        and (alarm.key or status.sample.t - alarm.t <= ALARM_COUNTS_S)
    ]


def experiment_health(experiment: ExperimentStatus) -> Finding:
    """How an experiment does: its rollback first, then what could go wrong next, then the verdict."""
    return next(_experiment_findings(experiment))


def _link_finding(view: HostView, now: float) -> Finding | None:
    link = view.link
    because = f": {link.detail}" if link.detail else ""
    silent = heard_age(view, now)
    if link.state == "refused":
        return Finding(level="fail", text=f"connection refused{because}")
    if link.state == "lost":
        since = f"link lost, silent for {age(silent)}" if silent is not None else "not reached"
        return Finding(level="stale", text=f"{since}{because}")
    if link.state == "connecting":
        if silent is None:
            return Finding(level="connecting", text=f"connecting{because}")
        return Finding(level="stale", text=f"connecting again, silent for {age(silent)}{because}")
    newest = max((t for t in (view.heard_at, view.linked_at) if t is not None), default=now)
    if now - newest > STALE_AFTER_S:
        return Finding(level="stale", text=f"connected, but silent for {age(now - newest)}")
    return None


def _findings(status: HostStatus) -> Iterator[Finding]:
    """Everything to say, in no order; the last one is always there."""
    for experiment in status.experiments:
        yield from _experiment_findings(experiment)
    for engine in status.engines:
        if engine.state == "failed":
            why = f": {engine.error.detail}" if engine.error else ""
            yield Finding(level="fail", text=f"engine {engine.name} failed{why}")
        elif engine.state in _TROUBLED:
            yield Finding(level="fail", text=f"engine {engine.name} {_TROUBLED[engine.state]}")
    if status.gateway and not status.gateway.running:
        why = f": {status.gateway.detail}" if status.gateway.detail else ""
        yield Finding(level="fail", text=f"the gateway does not answer{why}")
    for alarm in open_alarms(status):
        yield Finding(level="fail" if alarm.level == "fail" else "warn", text=alarm.text, experiment=alarm.experiment)
    for engine in status.engines:
        if engine.state in _STARTING:
            yield Finding(level="ok", text=f"{engine.name} {_STARTING[engine.state]}")
    ready = sum(engine.state == "ready" for engine in status.engines)
    yield Finding(
        level="ok", text=f"{ready} of {len(status.engines)} engines ready" if status.engines else "no engines"
    )


def _experiment_findings(experiment: ExperimentStatus) -> Iterator[Finding]:
    state, verdict = experiment.state, experiment.verdict
    share = state.weight_bp

    def say(level: Level, text: str) -> Finding:
        return Finding(level=level, text=text, experiment=experiment.name)

    if state.latched:
        at = experiment.last_rollback.at if experiment.last_rollback else state.since
        yield say("fail", f"rolled back {clock(at)}{f': {state.reason}' if state.reason else ''}")
        return
    if verdict.kind == "breach" and share > 0:
        yield say("fail", f"{verdict.reason}, and {weight(share)} of users are still on it")
    if share < BUCKETS and share > 0 and not experiment.control.ready:
        yield say("warn", f"the control is not ready, and {weight(BUCKETS - share)} of users are on it")
    if share > 0 and not experiment.treatment.ready:
        yield say("warn", f"the treatment is not ready, and {weight(share)} of users are on it")
    if share > 0 and not experiment.rollback.can:
        yield say("warn", f"cannot roll back{f': {experiment.rollback.why}' if experiment.rollback.why else ''}")
    if not experiment.effective:
        yield say("warn", f"the gateway has not acknowledged {weight(share)} yet")
    if verdict.kind in ("watch", "control-unhealthy"):
        yield say("warn", verdict.reason)
    if experiment.finished:
        yield say("ok", f"ended: everyone is on the baseline {', '.join(experiment.control.engines)}")
    yield say("ok", verdict.reason if share > 0 else "everyone is on the control")
