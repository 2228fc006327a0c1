"""The rollout file: a plan as a person writes it, in TOML."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.durations import parse_duration
from quantdeck_core.errors import InputError
from quantdeck_core.hashing import BUCKETS, percent_to_bp
from quantdeck_core.profile.experiment import Percent
from quantdeck_core.profile.names import Name
from quantdeck_core.profile.toml_text import TomlError, decode_toml, locate
from quantdeck_core.rollout.plan import PlanGate, PlanStep, RolloutPlan, Text, check_plan

Duration = Annotated[str, Meta(max_length=20, description="a number and s, m, h or d")]


class StepFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step as written.

    Attributes:
        weight: percent of users on the treatment; 100 is everyone but the hold-back.
        soak: how long it must do well there.
        min_outputs: how many answers must have been heard there; without them a quiet night would promote.
    """

    weight: Percent
    soak: Duration
    min_outputs: Annotated[int, Meta(ge=0, le=10**9)] = 0


class RolloutFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rollout as a person writes it.

    Attributes:
        experiment: which exists already: engines and gateway stand in its own file.
        hold_back: percent of users that stay on the control after the last step.
        shadow_share: with no hold-back, percent of the treatment's requests that are copied to the control.
        missing_deadline: how long metrics may be missing before everyone goes back.
        skip_soak_reason: why the lesson's 24 hours at up to 10 % are not kept.
    """

    name: Name
    experiment: Name
    step: Annotated[tuple[StepFile, ...], Meta(min_length=1, max_length=50)]
    hold_back: Percent = 2
    shadow_share: Percent = 1
    missing_deadline: Duration = "15m"
    gate: PlanGate = PlanGate()
    skip_soak_reason: Text = ""


def read_rollout(text: str, source: str, skip_soak_reason: str = "") -> RolloutPlan:
    """A rollout file to a plan that may be carried out.

    Args:
        source: file name for messages.
        skip_soak_reason: given beside the file; wins over the one in it.

    Raises:
        TomlError: with file, line and column, what is wrong there and what to do.
    """
    file = decode_toml(text, RolloutFile, source)
    hold_back = _percent(text, source, ["hold_back"], file.hold_back)
    steps = tuple(_step(text, source, number, step, hold_back) for number, step in enumerate(file.step))
    plan = RolloutPlan(
        name=file.name,
        experiment=file.experiment,
        steps=steps,
        hold_back_bp=hold_back,
        shadow_bp=_percent(text, source, ["shadow_share"], file.shadow_share),
        missing_deadline_s=_seconds(text, source, ["missing_deadline"], file.missing_deadline),
        gate=file.gate,
        skip_soak_reason=skip_soak_reason or file.skip_soak_reason,
    )
    try:
        check_plan(plan)
    except InputError as error:
        raise TomlError(f"{source}: {error.detail}", error.hint) from None
    return plan


def _step(text: str, source: str, number: int, step: StepFile, hold_back_bp: int) -> PlanStep:
    keys = ["step", str(number)]
    weight = _percent(text, source, [*keys, "weight"], step.weight)
    return PlanStep(
        weight_bp=BUCKETS - hold_back_bp if weight == BUCKETS else weight,
        soak_s=_seconds(text, source, [*keys, "soak"], step.soak),
        min_outputs=step.min_outputs,
    )


def _percent(text: str, source: str, keys: list[str], value: Percent) -> int:
    try:
        return percent_to_bp(str(value))
    except InputError as error:
        raise _at(text, source, keys, error) from None


def _seconds(text: str, source: str, keys: list[str], value: str) -> float:
    try:
        return parse_duration(value)
    except InputError as error:
        raise _at(text, source, keys, error) from None


def _at(text: str, source: str, keys: list[str], error: InputError) -> TomlError:
    line, column = locate(text, keys)
    return TomlError(f"{source}:{line}:{column}: {keys[-1]}: {error.detail}", error.hint)
