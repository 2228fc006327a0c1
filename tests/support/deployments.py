"""Checks and operations as agents would report them."""

from __future__ import annotations

from typing import Any

from quantdeck_core.engines.operation import enter, steps_of
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.protocol.events import OperationEvent
from quantdeck_core.protocol.operation import Intended, Operation, OperationKind, Room, StepName
from support.fleets import GIB, NOW, replace

PLAN = "/v1/engines/plan"
DEPLOY = "/v1/engines"

ROOM = Room(
    where="GPU 0", weights=13 * GIB, kv=4 * GIB, overhead=GIB, needed=18 * GIB, free=22 * GIB, total=80 * GIB
)  # fmt: skip


def intended(engine: str = "demo-q8", kind: OperationKind = "deploy", **changes: Any) -> Intended:
    """Fits, nothing speaks against it."""
    found = Intended(
        kind=kind,
        engine=engine,
        replicas=1,
        version="0.3.5",
        argv=(
            "/opt/quantdeck/bin/python", "-m", "quantdeck_agent.engines.xllamacpp_main", "--model",
            "/srv/models/demo-q8_0.gguf", "--alias", "assistant", "--host", "127.0.0.1", "--port", "20001",
            "--ctx-size", "4096", "--parallel", "4", "--threads", "1",
        ),
        env={},
        model_path="/srv/models/demo-q8_0.gguf",
        planned_bytes=18 * GIB,
        room=ROOM,
    )  # fmt: skip
    return replace(found, **changes)


def refused(engine: str = "demo-q8", **changes: Any) -> Intended:
    """Does not fit now."""
    info = ErrorInfo(
        code="no-room-now",
        title="No room now",
        detail="It needs 18.0 GiB, and GPU 0 has 9.6 GiB free now.",
        hint="Stop what is there (quantdeck fleet), or choose other gpus; --force starts it all the same.",
    )
    room = replace(ROOM, free=int(9.6 * GIB), total=24 * GIB)
    return intended(engine, refusal=info, room=room, **changes)


def no_room_beside(engine: str = "treatment", **changes: Any) -> Intended:
    """Fits only once the old one has ended."""
    found = refused(engine, kind="replace", outage_s=12.0, outage="about 12 s (as the last start took)")
    return replace(found, room=replace(found.room, freed=12 * GIB), **changes)


def swapped(engine: str = "treatment") -> Intended:
    """The same, with the outage accepted."""
    return no_room_beside(engine, kind="swap", refusal=None)


def operation(
    step: StepName = "load",
    *,
    kind: OperationKind = "replace",
    engine: str = "treatment",
    began: float = NOW - 14,
    detail: str = "weights, 3 of 7",
    fraction: float | None = 0.45,
    **changes: Any,
) -> Operation:
    """One that is at a step; those before it took a second each."""
    found = Operation(id="op-7", kind=kind, engine=engine, by="ada", at=began, steps=steps_of(kind))
    for number, each in enumerate(found.steps):
        last = each.name == step
        found = enter(found, each.name, began + number, detail if last else "", fraction if last else None)
        if last:
            break
    return replace(found, **changes)


def failed(**changes: Any) -> Operation:
    """One that ended, as agents tell of it: without its steps."""
    info = ErrorInfo(
        code="engine-exited",
        title="The engine ended while it was loading",
        detail="CUDA out of memory: tried to allocate 2.1 GiB, GPU 0 has 1.4 GiB free.",
        hint="Lower max_model_len or max_num_seqs, or choose a smaller format.",
    )
    found = replace(operation(), state="failed", steps=(), error=info, ended=NOW - 3)
    return replace(found, **changes)


def going(found: Operation, revision: int = 5) -> OperationEvent:
    """Its event."""
    return OperationEvent(revision=revision, operation=found)
