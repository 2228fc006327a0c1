"""Can we roll back? Answered all the time, from facts, in words with numbers."""

from __future__ import annotations

from math import ceil

import msgspec

from quantdeck_core.durations import spoken
from quantdeck_core.fleet.cells import plural
from quantdeck_core.protocol.drill import DrillRecord

PROBE_STALE_S = 60.0
"""The gateway probes an idle replica more often than that; a longer silence proves nothing."""
CHECKED_STEP_S = 10.0
"""`Readiness.checked` moves in steps of this: watchers are told of changes, and not each second that there was none."""
DRILL_STALE_S = 7 * 86_400.0
"""A rehearsal says little about a fleet that was changed since; weekly is what on-call rotations have."""


class ControlReplica(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of the control.

    Attributes:
        warm: it has answered since it was started (its warm-up counts).
        answered: UNIX time of its last proven answer, seconds; None where nobody knows.
        ejected: why the gateway sends it nothing; empty while it is in rotation.
    """

    name: str
    warm: bool = True
    answered: float | None = None
    ejected: str = ""


class ReadinessFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at a moment.

    Attributes:
        engine: the control's name.
        replicas: those that are ready; `wanted` how many there should be.
        starting: what goes on with a control that is not ready, e.g. `loading 40 %`; empty where nothing does.
        gateway: it answers its control socket.
        room: requests that the control's engines work on at once (`room_for_requests`); None where they do not say.
        queue: requests that may wait for them.
        in_flight: requests of both arms that engines work on, and `waiting` those in their queues.
        rps: requests a second of both arms; None where that is not known.
        control_e2e_s: mean seconds of an answer of the control; None where that is not known.
        rollback_s: seconds of the last rollback, from the decision to weight 0.
        start_s: seconds of the control's last start until it was ready, `verify_s` of reading its checkpoint.
        last_drill: how the last rehearsal went.
    """

    engine: str
    replicas: tuple[ControlReplica, ...] = ()
    wanted: int = 1
    starting: str = ""
    gateway: bool
    room: int | None = None
    queue: int = 0
    in_flight: int = 0
    waiting: int = 0
    rps: float | None = None
    control_e2e_s: float | None = None
    rollback_s: float | None = None
    start_s: float | None = None
    verify_s: float | None = None
    last_drill: DrillRecord | None = None


class Readiness(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Whether everyone could be put back on the control right now.

    Attributes:
        can: weight 0 would reach a control that answers, and nobody would be turned away.
        why: the first reason why not; empty where it can.
        warnings: what makes it slower or less sure than it should be.
        expected_s: seconds that it should take, a cold control's start included; None where nothing was measured.
        cold: the control does not run and would have to be started first: a rollback is pending until it is ready.
        checked: UNIX time, seconds.
        last_drill: when it was rehearsed last, and how that went.
    """

    can: bool
    why: str = ""
    warnings: tuple[str, ...] = ()
    expected_s: float | None = None
    cold: bool = False
    checked: float = 0.0
    last_drill: DrillRecord | None = None


def readiness(facts: ReadinessFacts, now: float) -> Readiness:
    """The answer at a UNIX time."""
    reasons, warnings = _control(facts, now)
    if not facts.gateway:
        reasons.append("the gateway does not answer its control socket")
    full, crowded = _room(facts)
    reasons += full
    warnings += crowded + _drill(facts.last_drill, now)
    cold = not facts.replicas
    return Readiness(
        can=not reasons,
        why=reasons[0] if reasons else "",
        warnings=(*reasons[1:], *warnings),
        expected_s=_expected_s(facts),
        cold=cold,
        checked=now - now % CHECKED_STEP_S,
        last_drill=facts.last_drill,
    )


def _control(facts: ReadinessFacts, now: float) -> tuple[list[str], list[str]]:
    if not facts.replicas:
        how = f"it is being started ({facts.starting})" if facts.starting else "it does not run"
        last = f"; its last start took {spoken(facts.start_s)}" if facts.start_s is not None else ""
        return [f"the control {facts.engine} is not ready: {how}{last}"], []
    warnings = []
    if len(facts.replicas) < facts.wanted:
        warnings.append(f"{len(facts.replicas)} of {facts.wanted} replicas of the control are ready")
    warnings += [f"{one.name} has not answered anybody yet: its first answers are slow" for one in _cold(facts)]
    for one in facts.replicas:
        if one.ejected:
            warnings.append(f"the gateway sends {one.name} nothing: {one.ejected}")
        elif one.answered is not None and now - one.answered > PROBE_STALE_S:
            warnings.append(f"{one.name} has proven nothing for {spoken(now - one.answered)}")
    if all(one.ejected for one in facts.replicas):
        return [f"the gateway has taken every replica of the control out: {facts.replicas[0].ejected}"], warnings
    return [], warnings


def _cold(facts: ReadinessFacts) -> list[ControlReplica]:
    return [one for one in facts.replicas if not one.warm and not one.ejected]


def _room(facts: ReadinessFacts) -> tuple[list[str], list[str]]:
    """Everyone's requests on the control alone. What would be in flight there follows from Little's law, L = lambda W
    (J. D. C. Little, Operations Research 9(3), 1961): a slower control has more of them than both arms have now."""
    if facts.room is None or not facts.replicas:
        return [], []
    serving = sum(not one.ejected for one in facts.replicas)
    room = facts.room * serving // len(facts.replicas)
    now, why = facts.in_flight + facts.waiting, "in flight now"
    if facts.rps is not None and facts.control_e2e_s is not None:
        by_rate = ceil(facts.rps * facts.control_e2e_s)
        if by_rate > now:
            now, why = by_rate, f"expected there: {facts.rps:.1f} a second, {facts.control_e2e_s:.1f} s each"
    if now > room + facts.queue:
        turned_away = now - room - facts.queue
        text = (
            f"the control has no room for everyone: {plural(now, 'request')} {why}, it works on {room} and queues "
            f"{facts.queue}, so about {turned_away} would be turned away"
        )
        return [text], []
    if now > room:
        return [], [
            f"the control works on {plural(room, 'request')} at once and {now} are {why}: about {now - room} would wait"
        ]
    return [], []


def _drill(last: DrillRecord | None, now: float) -> list[str]:
    if last is None:
        return ["it was never rehearsed; `quantdeck drill EXPERIMENT` does"]
    if not last.passed:
        return [f"the last drill failed: {last.failed[0] if last.failed else 'it was cut off'}"]
    if now - last.t > DRILL_STALE_S:
        return [f"the last drill was {spoken(now - last.t)} ago"]
    return []


def _expected_s(facts: ReadinessFacts) -> float | None:
    drilled = facts.last_drill.effective_s if facts.last_drill else None
    effective = facts.rollback_s if facts.rollback_s is not None else drilled
    if facts.replicas:
        return effective
    if facts.start_s is None:
        return None
    return facts.start_s + (facts.verify_s or 0.0) + (effective or 0.0)
