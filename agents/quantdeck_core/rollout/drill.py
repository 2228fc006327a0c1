"""What a rehearsed rollback does, and what its findings mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from quantdeck_core.errors import ConflictError
from quantdeck_core.protocol.drill import Drill, DrillProbe, DrillRecord
from quantdeck_core.rollout.readiness import Readiness
from quantdeck_core.rollout.state import RolloutState

DrillStep = Literal["probe", "push", "zero", "back"]


class DrillFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What was found so far.

    Attributes:
        unreachable: why the gateway did not acknowledge something.
        not_back: the weight could not be put back yet; the agent goes on trying.
    """

    probes: tuple[DrillProbe, ...] = ()
    push_ms: float | None = None
    zero_ms: float | None = None
    back_ms: float | None = None
    unreachable: str = ""
    not_back: str = ""


def plan_drill(ask: Drill, state: RolloutState, frozen: str = "") -> tuple[DrillStep, ...]:
    """The steps. Without `live` nobody is moved, so it may be asked for at any time.

    Args:
        frozen: who froze the host and why; empty where nothing is.

    Raises:
        ConflictError: users cannot be moved now.
    """
    if not ask.live:
        return ("probe", "push")
    if state.latched or state.pending:
        raise ConflictError(
            "A rollback holds or waits: users are not moved for a rehearsal now.", "Leave out --live: it moves nobody."
        )
    if frozen:
        raise ConflictError(f"Nothing may move now: {frozen}.", "Unfreeze, or leave out --live: it moves nobody.")
    if state.weight_bp == 0:
        raise ConflictError("Nobody is on the treatment.", "Leave out --live: the rest is rehearsed all the same.")
    return ("probe", "push", "zero", "back")


def may_move(readiness: Readiness, findings: DrillFindings) -> bool:
    """Whether users may be taken to the control: only where all that went before says that it would serve them."""
    return readiness.can and not judge_drill(readiness, findings)


def judge_drill(readiness: Readiness, findings: DrillFindings) -> tuple[str, ...]:
    """What did not work, in sentences; empty where a rollback would have worked."""
    failed = [] if readiness.can else [readiness.why]
    failed += [f"{one.replica} gave no token: {one.problem}" for one in findings.probes if one.ms is None]
    if not findings.probes:
        failed.append("the control has no replica that could be asked for a token")
    if findings.unreachable:
        failed.append(f"the gateway did not take a config: {findings.unreachable}")
    if findings.not_back:
        failed.append(f"the weight is not back yet and is tried again: {findings.not_back}")
    return tuple(dict.fromkeys(failed))


def drill_record(ask: Drill, t: float, weight_bp: int, failed: Sequence[str], findings: DrillFindings) -> DrillRecord:
    """What is remembered of it."""
    return DrillRecord(
        t=t,
        by=ask.by,
        live=ask.live,
        passed=not failed,
        failed=tuple(failed),
        probes=findings.probes,
        push_ms=findings.push_ms,
        weight_bp=weight_bp if ask.live else 0,
        zero_ms=findings.zero_ms,
        back_ms=findings.back_ms,
    )


def drill_text(record: DrillRecord) -> str:
    """One line for the timeline."""
    if not record.passed:
        return f"drill failed: {'; '.join(record.failed)}"
    slowest = max((one.ms for one in record.probes if one.ms is not None), default=0.0)
    text = f"drill passed: a token from every replica of the control within {slowest:.0f} ms"
    if record.push_ms is not None:
        text += f", the gateway acknowledged a config in {record.push_ms:.1f} ms"
    if record.zero_ms is not None and record.back_ms is not None:
        text += f", weight 0 in {record.zero_ms:.1f} ms and back in {record.back_ms:.1f} ms"
    return text


def cut_off(by: str, t: float, weight_bp: int) -> DrillRecord:
    """A rehearsal that moved users and was cut off by the agent's end: the weight holds again since its restart."""
    return DrillRecord(
        t=t,
        by=by,
        live=True,
        weight_bp=weight_bp,
        failed=("it was cut off by the end of the agent; the weight holds again",),
    )
