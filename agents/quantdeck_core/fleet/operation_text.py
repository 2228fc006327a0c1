"""Operations as people read them."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.fleet.cells import clock, plural, size
from quantdeck_core.protocol.operation import Operation, Room, Step

_VERBS = {
    "deploy": "deploys",
    "replace": "replaces",
    "swap": "swaps",
    "restart": "restarts",
    "recover": "starts again",
    "scale": "scales",
    "stop": "stops",
}


def title(operation: Operation) -> str:
    """``op-7 replaces treatment``."""
    return f"{operation.id} {_VERBS[operation.kind]} {operation.engine}"


def progress_line(operation: Operation) -> str:
    """Where it is: ``3/7 load 45 %: the model is being loaded``."""
    if operation.ended is not None:
        seconds = operation.ended - operation.at
        return f"{operation.state} after {seconds:.1f} s"
    current = operation.current
    if current is None:
        return operation.state
    number = operation.steps.index(current) + 1
    share = f" {current.fraction * 100:.0f} %" if current.fraction is not None else ""
    detail = f": {current.detail}" if current.detail else ""
    return f"{number}/{len(operation.steps)} {current.name}{share}{detail}"


def operation_lines(operation: Operation) -> Iterator[str]:
    """All of it."""
    yield f"{title(operation)}  {progress_line(operation)}"
    yield f"  asked by {operation.by or 'somebody'} at {clock(operation.at)}"
    for said, text in (("because", operation.why), ("forced", operation.forced)):
        if text:
            yield f"  {said}: {text}"
    if operation.outage_s:
        yield f"  announced: about {operation.outage_s:.0f} s without this engine"
    if operation.replicas:
        yield f"  starts {plural(len(operation.replicas), 'replica')}"
    for step in operation.steps:
        yield f"    {mark(step)} {step.name:<8} {_took(step)}  {step.detail}".rstrip()
    if operation.error:
        yield f"  {operation.error.detail}"
        if operation.error.hint:
            yield f"  next: {operation.error.hint}"


def room_needed(room: Room) -> str:
    """``weights 13.1 GiB + KV cache 4.0 GiB + overhead 1.2 GiB = 18.3 GiB``."""
    each = f"weights {size(room.weights)} + KV cache {size(room.kv)} + overhead {size(room.overhead)}"
    added = room.weights + room.kv + room.overhead
    if room.instances > 1:
        each = f"{room.instances} x ({each})"
    if room.needed > added * room.instances:
        return f"{each} = {size(added * room.instances)}, and it books {size(room.needed)}"
    return f"{each} = {size(room.needed)}"


def room_free(room: Room) -> str:
    """``21.4 GiB of 80.0 GiB free on GPU 0 now, plus 5.0 GiB of the old one``."""
    place = "in RAM" if room.where == "RAM" else f"on {room.where}"
    more = f", plus {size(room.freed)} of the old one" if room.freed else ""
    return f"{size(room.free)} of {size(room.total)} free {place} now{more}"


def mark(step: Step) -> str:
    """How far a step is, in a character."""
    return {"waiting": ".", "running": ">", "done": "+", "failed": "x"}[step.state]


def _took(step: Step) -> str:
    if step.began is None or step.ended is None:
        return "       "
    return f"{step.ended - step.began:5.1f} s"
