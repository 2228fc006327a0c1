"""A control that does not run, brought back for a rollback: what is to be done, in which order, and for how long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.operation import Operation, StepName

ColdStep = Literal["verify", "start", "ready", "weight-0"]
_STARTING: frozenset[StepName] = frozenset({"room", "start", "load", "health", "token", "warm-up"})
_SHOWN = 12


class ControlRecipe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the control was while it served: written down then, since an engine that was stopped is known to nobody.

    Attributes:
        sha256: of the checkpoint; empty where it was not hashed yet.
        forced: somebody had forced its start although it was refused.
    """

    engine: str
    profile: Profile
    replicas: int = 1
    sha256: str = ""
    forced: bool = False


class ColdFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the control stands.

    Attributes:
        serving: a replica of it is ready.
        under_way: something starts it already: an operation, or the agent after it ended by itself.
    """

    serving: bool
    under_way: bool


class ColdPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done until everyone can go back; `impossible` says why nothing can be."""

    steps: tuple[ColdStep, ...] = ()
    impossible: str = ""


def plan_cold_start(facts: ColdFacts, recipe: ControlRecipe | None) -> ColdPlan:
    """Weight 0 comes last: until the control is ready a rollback is pending, and no user is sent to a dead control."""
    if facts.serving:
        return ColdPlan(steps=("weight-0",))
    if facts.under_way:
        return ColdPlan(steps=("ready", "weight-0"))
    if recipe is None:
        return ColdPlan(impossible="nothing is known of what the control was")
    if recipe.profile.engine == "external":
        return ColdPlan(impossible=f"somebody else runs the control {recipe.engine}: it must be started there")
    if recipe.profile.nodes is not None:
        return ColdPlan(impossible=f"the control {recipe.engine} runs over several hosts: deploy it from a console")
    verify: tuple[ColdStep, ...] = ("verify",) if recipe.sha256 else ()
    return ColdPlan(steps=(*verify, "start", "ready", "weight-0"))


def checkpoint_problem(recipe: ControlRecipe, found: str) -> str:
    """Why the checkpoint on the disk is not the one that served; empty where it is."""
    if found == recipe.sha256:
        return ""
    return (
        f"the checkpoint of the control {recipe.engine} is not the one that served: "
        f"SHA-256 {found[:_SHOWN]}, it was {recipe.sha256[:_SHOWN]}"
    )


def start_seconds(operations: Iterable[Operation], engine: str) -> float | None:
    """Seconds that the newest start of an engine took until it was warm; None where none is known.

    Args:
        operations: oldest first.
    """
    for operation in reversed(tuple(operations)):
        if operation.engine != engine or operation.state != "done":
            continue
        steps = [one for one in operation.steps if one.name in _STARTING]
        began = [one.began for one in steps if one.began is not None]
        ended = [one.ended for one in steps if one.ended is not None]
        if began and ended:
            return max(ended) - min(began)
    return None
