"""Operations as they go on: pure, (operation, event, now) -> operation."""

from __future__ import annotations

import msgspec

from quantdeck_core.errors import ErrorInfo
from quantdeck_core.protocol.operation import Operation, OperationKind, OperationState, Step, StepName

_UP: tuple[StepName, ...] = ("room", "start", "load", "health", "token", "warm-up", "route")
_DOWN: tuple[StepName, ...] = ("drain", "stop")
_STEPS: dict[OperationKind, tuple[StepName, ...]] = {
    "deploy": _UP,
    "replace": (*_UP, *_DOWN),
    # The GPU is needed for the new one: the old one goes first.
    "swap": (*_DOWN, *_UP),
    "restart": (*_UP, *_DOWN),
    "recover": _UP,
    "scale": _UP,
    "stop": _DOWN,
}
_EXTERNAL: tuple[StepName, ...] = ("health", "token", "warm-up", "route")
"""Of an engine that somebody else has started."""


def steps_of(
    kind: OperationKind, *, external: bool = False, starts: bool = True, copies: bool = False
) -> tuple[Step, ...]:
    """All steps of an operation, in their order.

    Args:
        external: nothing is started here.
        starts: it brings something up; a scale that only ends replicas does not.
        copies: the checkpoint must be brought here first.
    """
    names = _STEPS[kind] if starts else _DOWN
    if external:
        names = tuple(name for name in names if name in (*_EXTERNAL, *_DOWN))
    return tuple(Step(name=name) for name in (("copy", *names) if copies else names))


def enter(
    operation: Operation, name: StepName, now: float, detail: str = "", fraction: float | None = None
) -> Operation:
    """A step is under way: those before it are done. A step that is done already stays so."""
    order = [step.name for step in operation.steps]
    if name not in order:
        return operation
    at = order.index(name)
    steps = []
    for index, step in enumerate(operation.steps):
        if index < at and step.state != "done":
            step = _done(step, now)
        elif index == at and step.state != "done":
            began = step.began if step.began is not None else now
            step = msgspec.structs.replace(step, state="running", detail=detail, fraction=fraction, began=began)
        steps.append(step)
    return msgspec.structs.replace(operation, steps=tuple(steps))


def finish(operation: Operation, now: float) -> Operation:
    """All of it is done."""
    steps = tuple(step if step.state == "done" else _done(step, now) for step in operation.steps)
    return msgspec.structs.replace(operation, state="done", steps=steps, ended=now)


def fail(operation: Operation, error: ErrorInfo, now: float) -> Operation:
    """It ends with the step that is under way, or the first that has not begun."""
    return _ended(operation, "failed", error, now)


def cancelled(operation: Operation, error: ErrorInfo, now: float) -> Operation:
    """Somebody has ended it; `error` says who."""
    return _ended(operation, "cancelled", error, now)


def _ended(operation: Operation, state: OperationState, error: ErrorInfo, now: float) -> Operation:
    broken = next((step.name for step in operation.steps if step.state != "done"), None)
    steps = tuple(
        msgspec.structs.replace(step, state="failed", ended=now) if step.name == broken else step
        for step in operation.steps
    )
    return msgspec.structs.replace(operation, state=state, steps=steps, error=error, ended=now)


def _done(step: Step, now: float) -> Step:
    began = step.began if step.began is not None else now
    return msgspec.structs.replace(step, state="done", detail="", fraction=None, began=began, ended=now)
