"""Something that an agent was asked to do with an engine and that takes time: its steps, and how far it is."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.errors import ErrorInfo
from quantdeck_core.profile.names import Name
from quantdeck_core.profile.schema import Profile

OperationKind = Literal["deploy", "replace", "swap", "restart", "recover", "scale", "stop"]
OperationState = Literal["running", "cancelling", "done", "failed", "cancelled"]
StepName = Literal["copy", "room", "start", "load", "health", "token", "warm-up", "route", "drain", "stop"]
StepState = Literal["waiting", "running", "done", "failed"]


class Step(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One step.

    Attributes:
        detail: what is going on in it, in words.
        fraction: how much of it is done, 0 to 1; None where that cannot be told.
        began, ended: UNIX times, seconds.
    """

    name: StepName
    state: StepState = "waiting"
    detail: str = ""
    fraction: float | None = None
    began: float | None = None
    ended: float | None = None


class Operation(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was asked, and how far it is. It is on disk before it is acknowledged, and goes on after a crash.

    Attributes:
        id: `op-` and a number that rises.
        engine: name of the engine that it is about.
        by: who asked; `quantdeck` for the agent itself.
        at: UNIX time, seconds.
        profile: what is to be served afterwards; None where nothing is.
        replicas: indices of the replicas that are started; empty where none is.
        generation: of the first process that it starts; 0 where it starts none.
        outage_s: seconds without this engine that were announced before it began; 0 for none.
        forced: who started it although it was refused, and what the refusal was; empty where nothing was forced.
        why: what caused it, where nobody asked.
        error: why it failed.
    """

    id: str
    kind: OperationKind
    engine: Name
    by: str
    at: float
    profile: Profile | None = None
    replicas: tuple[int, ...] = ()
    generation: int = 0
    outage_s: float = 0.0
    forced: str = ""
    why: str = ""
    state: OperationState = "running"
    steps: tuple[Step, ...] = ()
    error: ErrorInfo | None = None
    ended: float | None = None

    @property
    def current(self) -> Step | None:
        """The step that runs now."""
        return next((step for step in self.steps if step.state == "running"), None)


class OperationList(msgspec.Struct, frozen=True, kw_only=True):
    """Those under way and the last that ended, oldest first."""

    operations: tuple[Operation, ...]


class Room(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a start takes of its fullest device, and what that device has at this moment; bytes.

    Attributes:
        where: the device, e.g. ``GPU 0, 1`` or ``RAM``.
        weights, kv, overhead: of one instance.
        needed: of all instances that are started there; more than their parts where an engine takes a fixed share.
        free: now.
        freed: what comes free there once the engine that is replaced has ended.
        total: all that the device has.
    """

    where: str
    weights: int
    kv: int
    overhead: int
    needed: int
    free: int
    total: int
    instances: int = 1
    freed: int = 0


class Intended(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment would do, checked on the host, nothing begun.

    Attributes:
        model_path: of the checkpoint on the host.
        argv, env: the exact command of the first replica, and the variables that it sets; no key is in either.
        planned_bytes: of its fullest device; None where no plan could be made, `note` says why.
        room: the same in its parts, beside what is free; None likewise, and where it is refused before it is planned.
        refusal: why it would be refused unless forced.
        outage_s: seconds without this engine, where it must be swapped; None where both have room.
        outage: the same in words, with where it comes from.
    """

    kind: OperationKind
    engine: str
    replicas: int
    version: str
    argv: tuple[str, ...]
    env: dict[str, str]
    model_path: str = ""
    planned_bytes: int | None = None
    room: Room | None = None
    refusal: ErrorInfo | None = None
    outage_s: float | None = None
    outage: str = ""
    note: str = ""
