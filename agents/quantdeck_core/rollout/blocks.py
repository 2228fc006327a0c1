"""What keeps automation from raising the weight, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from quantdeck_core.durations import spoken
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.rollout.events import Gates
from quantdeck_core.rollout.state import RolloutRun, RolloutState


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must change first.

    Attributes:
        stops_soak: time that goes by meanwhile is no time of good behaviour.
    """

    text: str
    stops_soak: bool


def entered(state: RolloutState, run: RolloutRun) -> bool:
    """Whether the run's step has its users."""
    return state.weight_bp >= run.current.weight_bp


def blocks(state: RolloutState, run: RolloutRun, gates: Gates) -> tuple[Block, ...]:
    """Everything that holds the next rise now, but for the step's own soak and outputs."""
    return tuple(_blocks(state, run, gates))


def _blocks(state: RolloutState, run: RolloutRun, gates: Gates) -> Iterator[Block]:
    def block(text: str, *, stops_soak: bool) -> Block:
        return Block(text=text, stops_soak=stops_soak)

    if state.latched:
        yield block(f"rolled back: {state.reason}; it waits for somebody to clear it", stops_soak=True)
    if state.pending:
        yield block(f"a rollback waits for the control: {state.pending.reason}", stops_soak=True)
    if run.paused:
        why = f": {run.paused.reason}" if run.paused.reason else ""
        yield block(f"paused by {run.paused.by}{why}", stops_soak=True)
    if gates.frozen:
        yield block(f"frozen: {gates.frozen}", stops_soak=False)
    if not gates.metrics_fresh:
        yield block(f"no metrics: {gates.metrics_why or 'nothing is heard'}", stops_soak=True)
    if not gates.control_ready:
        yield block("the control is not ready", stops_soak=True)
    if not gates.treatment_ready:
        yield block("the treatment is not ready", stops_soak=True)
    yield from _quality(state, gates)
    yield from _staging(state, run, gates)
    if not gates.can_roll_back:
        yield block(f"nobody could be put back now: {gates.roll_back_why or 'unknown'}", stops_soak=False)


def _quality(state: RolloutState, gates: Gates) -> Iterator[Block]:
    why = f": {gates.verdict_why}" if gates.verdict_why else ""
    if gates.verdict == "inconclusive":
        # Before the first user there is nothing to judge but the canary.
        if state.weight_bp > 0:
            yield Block(text=f"no verdict yet{why}", stops_soak=False)
    elif gates.verdict != "healthy":
        yield Block(text=f"{gates.verdict}{why}", stops_soak=True)
    if state.weight_bp == 0:
        return
    if not gates.slo_ok:
        yield Block(text=f"too slow: {gates.slo_why or 'the latency objective is not kept'}", stops_soak=True)
    if not gates.errors_ok:
        yield Block(text=f"too many errors: {gates.errors_why or 'the error rate is not kept'}", stops_soak=True)


def _staging(state: RolloutState, run: RolloutRun, gates: Gates) -> Iterator[Block]:
    gate = run.plan.gate
    why = f": {gates.canary_why}" if gates.canary_why else ""
    if gates.canary == "failed":
        yield Block(text=f"the canary failed{why}", stops_soak=True)
    elif gate.canary and gates.canary != "passed":
        yield Block(text=f"the canary has not passed yet{why}", stops_soak=False)
    if gate.latency_profile and not gates.latency_profile and state.weight_bp == 0:
        why = gates.latency_why or "the latency of the treatment has not been measured yet"
        yield Block(text=why, stops_soak=False)


def needs(state: RolloutState, run: RolloutRun) -> tuple[str, ...]:
    """What the step itself still takes; nothing before it has its users."""
    if not entered(state, run):
        return ()
    step, missing = run.current, []
    if run.soaked_s < step.soak_s:
        missing.append(f"{spoken(run.soaked_s)} of {spoken(step.soak_s)} soaked at {bp_to_percent(state.weight_bp)} %")
    if run.outputs < step.min_outputs:
        missing.append(f"{run.outputs:,} of {step.min_outputs:,} answers heard")
    return tuple(missing)
