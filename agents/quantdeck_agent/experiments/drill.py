"""Rehearses a rollback: the control is asked for tokens, the gateway for an acknowledgement, and users are moved for a
moment where that was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec

from quantdeck_agent.engines.command import api_key
from quantdeck_agent.engines.probe import EngineProbe
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.engines.interface import INTERFACES
from quantdeck_core.errors import ConflictError, QuantdeckError
from quantdeck_core.protocol.drill import Drill, DrillProbe, DrillRecord
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.rollout.drill import (
    DrillFindings,
    cut_off,
    drill_record,
    drill_text,
    judge_drill,
    may_move,
    plan_drill,
)
from quantdeck_core.rollout.readiness import Readiness
from quantdeck_core.rollout.state import RolloutState

KIND = "drill"


class _Moving(msgspec.Struct, frozen=True, kw_only=True):
    """Users of an experiment are at the control for a rehearsal; on disk as long as that may be so."""

    t: float
    by: str
    weight_bp: int


class Drills:
    """The rehearsals of a host.

    A live one changes no state of the rollout: while it lasts `weight_bp` says 0 to whoever tells the gateway, and an
    agent that is killed in between comes back without it and sends the weight that holds.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at_zero: set[str] = set()
        self._busy: set[str] = set()

    def weight_bp(self, experiment: str, weight_bp: int) -> int:
        """What the gateway is to be told: the weight, or 0 for the moment of a live rehearsal."""
        return 0 if experiment in self._at_zero else weight_bp

    def restore(self) -> dict[str, DrillRecord]:
        """After a restart: rehearsals that were cut off, by experiment. Their weights hold again."""
        found = {}
        for name, moving in self._store.all(KIND, _Moving).items():
            found[name] = cut_off(moving.by, moving.t, moving.weight_bp)
            self._note(name, found[name])
            with contextlib.suppress(StateWriteError):
                self._store.delete(KIND, name)
        return found

    async def run(
        self,
        experiment: str,
        ask: Drill,
        *,
        state: RolloutState,
        readiness: Readiness,
        control: tuple[EngineRecord, ...],
        router: Router,
        frozen: str = "",
    ) -> DrillRecord:
        """Rehearse, and note how it went in the timeline.

        Args:
            control: its ready replicas.

        Raises:
            ConflictError: users cannot be moved now, or another rehearsal goes on.
            StateWriteError: the disk refused to remember that users are about to be moved; they were not.
        """
        if experiment in self._busy:
            raise ConflictError(f"A drill of {experiment} goes on already.", "Wait for its end.")
        self._busy.add(experiment)
        try:
            return await self._rehearse(experiment, ask, state, readiness, control, router, frozen)
        finally:
            self._busy.discard(experiment)

    async def _rehearse(
        self,
        experiment: str,
        ask: Drill,
        state: RolloutState,
        readiness: Readiness,
        control: tuple[EngineRecord, ...],
        router: Router,
        frozen: str,
    ) -> DrillRecord:
        began, steps = time.time(), plan_drill(ask, state, frozen)
        findings = DrillFindings(probes=tuple(await asyncio.gather(*map(_probe, control))))
        try:
            findings = msgspec.structs.replace(findings, push_ms=round(await router.rehearse(), 2))
        except QuantdeckError as error:
            findings = msgspec.structs.replace(findings, unreachable=error.detail)
        if "zero" in steps and may_move(readiness, findings):
            moving = _Moving(t=began, by=ask.by, weight_bp=state.weight_bp)
            # Shielded: whoever asked may hang up, and users must not stay where they were put for a moment.
            findings = await asyncio.shield(self._move(experiment, moving, router, findings))
        failed = judge_drill(readiness, findings)
        record = drill_record(ask, began, state.weight_bp, failed, findings)
        self._note(experiment, record)
        return record

    async def _move(self, experiment: str, moving: _Moving, router: Router, findings: DrillFindings) -> DrillFindings:
        self._store.put(KIND, experiment, moving)
        self._at_zero.add(experiment)
        try:
            findings = msgspec.structs.replace(findings, zero_ms=await _pushed(router))
        except QuantdeckError as error:
            findings = msgspec.structs.replace(findings, unreachable=error.detail)
        finally:
            self._at_zero.discard(experiment)
        try:
            findings = msgspec.structs.replace(findings, back_ms=await _pushed(router))
        except QuantdeckError as error:
            findings = msgspec.structs.replace(findings, not_back=error.detail)
        with contextlib.suppress(StateWriteError):  # the next agent says that it was cut off: wrong, and harmless
            self._store.delete(KIND, experiment)
        return findings

    def _note(self, experiment: str, record: DrillRecord) -> None:
        entry = TimelineEntry(t=record.t, kind="drill", text=drill_text(record), by=record.by or "somebody")
        self._store.try_note(f"experiment:{experiment}", entry)


async def _pushed(router: Router) -> float:
    began = time.monotonic()
    await router.push()
    return round((time.monotonic() - began) * 1000, 2)


async def _probe(record: EngineRecord) -> DrillProbe:
    """A token from one replica, through its own address and not through the gateway."""
    probe = EngineProbe(record.url, record.asked_as, INTERFACES[record.profile.engine], api_key(record.profile))
    began = time.monotonic()
    try:
        await probe.one_token()
    except QuantdeckError as error:
        return DrillProbe(replica=record.key, problem=error.detail)
    finally:
        await probe.close()
    return DrillProbe(replica=record.key, ms=round((time.monotonic() - began) * 1000, 1))
