"""A rehearsed rollback: what is asked, and how it went."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.requests import Change


class Drill(Change, kw_only=True, frozen=True):
    """Rehearse a rollback.

    Attributes:
        live: really take everyone to the control for a moment, and back to the weight.
    """

    live: bool = False


class DrillProbe(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of the control was asked for a token.

    Attributes:
        ms: until the token was there; None where it was not.
        problem: why not.
    """

    replica: str
    ms: float | None = None
    problem: str = ""


class DrillRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a rehearsal went.

    Attributes:
        t: UNIX time when it began, seconds.
        live: users were moved.
        passed: a rollback would have worked then.
        failed: what did not work, in sentences; empty where all did.
        push_ms: a config that changes nothing, until the gateway had acknowledged its revision.
        weight_bp: the treatment's share that users were taken from and given back.
        zero_ms: until the gateway had acknowledged weight 0; `back_ms` the weight again. None where nobody was moved.
    """

    t: float
    by: str
    live: bool = False
    passed: bool = False
    failed: tuple[str, ...] = ()
    probes: tuple[DrillProbe, ...] = ()
    push_ms: float | None = None
    weight_bp: int = 0
    zero_ms: float | None = None
    back_ms: float | None = None

    @property
    def effective_s(self) -> float | None:
        """Seconds until everyone was, or would have been, on the control; None where that was not measured."""
        ms = self.zero_ms if self.zero_ms is not None else self.push_ms
        return None if ms is None else ms / 1000
