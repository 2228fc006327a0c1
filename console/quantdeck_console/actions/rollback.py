"""A rollback on its way: sent to every gateway of the experiment, and repeated until each has applied it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from quantdeck_console.link.interface import FleetLink
from quantdeck_console.pending import PendingFile, PendingFileError
from quantdeck_core.errors import QuantdeckError, RemoteError
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Rollback
from quantdeck_core.rollout.wish import Wish

RETRY_S = 2.0
PENDING_AFTER_S = 1.0
"""A gateway answers within milliseconds; after a second without one, say so."""

Progress = Literal["asked", "sent", "applied", "unreachable", "refused"]


@dataclass
class Target:
    """One gateway of the experiment, and how far the rollback is there.

    Attributes:
        since: UNIX time of the first attempt.
    """

    host: str
    listen: str
    from_bp: int
    in_flight: int
    latched: bool
    progress: Progress = "asked"
    detail: str = ""
    since: float = 0.0
    effective_ms: float | None = None

    @classmethod
    def of(cls, view: HostView, experiment: ExperimentStatus) -> Target:
        """What the rollback would do on this host."""
        gateway = view.status.gateway if view.status else None
        return cls(
            host=view.name,
            listen=gateway.listen if gateway else "",
            from_bp=experiment.state.weight_bp,
            in_flight=experiment.treatment.in_flight,
            latched=experiment.state.latched,
        )

    def word(self, now: float) -> str:
        """How far it is: `pending` is sent, and unanswered for too long."""
        if self.progress == "sent" and now - self.since > PENDING_AFTER_S:
            return "pending"
        return self.progress


class RollbackRun:
    """One rollback on all gateways of an experiment; nothing is sent before `run`."""

    def __init__(
        self,
        link: FleetLink,
        experiment: str,
        views: Iterable[HostView],
        *,
        by: str,
        clock: Callable[[], float],
        changed: Callable[[], None],
        retry_s: float = RETRY_S,
        pending: PendingFile | None = None,
    ) -> None:
        """`pending`: where it is kept what could not be asked, so that it outlives the console."""
        self.experiment = experiment
        self.targets = [Target.of(view, found) for view in views if (found := view.experiment(experiment))]
        self.started = False
        self._link = link
        self._clock = clock
        self._changed = changed
        self._retry_s = retry_s
        self._pending = pending
        self._kept: dict[str, Wish] = {}
        # One id for every host and every attempt: an agent that gets it twice applies it once.
        self._request = Rollback(request_id=uuid4().hex, by=by, reason=f"rolled back in the console by {by}")

    @property
    def applied(self) -> bool:
        """Every gateway has acknowledged."""
        return bool(self.targets) and all(target.progress == "applied" for target in self.targets)

    @property
    def open(self) -> list[Target]:
        """Targets that a retry may still reach."""
        return [target for target in self.targets if target.progress in ("asked", "sent", "unreachable")]

    @property
    def finished(self) -> bool:
        """Nothing more will happen: applied or refused everywhere."""
        return self.started and not self.open

    async def run(self) -> None:
        """Send to all at once; return when each has applied or refused it."""
        if self.started:
            return
        self.started = True
        await asyncio.gather(*(self._one(target) for target in self.targets))

    async def _one(self, target: Target) -> None:
        target.since = self._clock()
        while True:
            target.progress = "sent" if target.progress == "asked" else target.progress
            self._changed()
            try:
                answer = await self._link.ask(
                    target.host, lambda client: client.roll_back(self.experiment, self._request)
                )
            except QuantdeckError as error:
                refused = isinstance(error, RemoteError) and 400 <= error.status < 500
                target.progress = "refused" if refused else "unreachable"
                target.detail = f"{error.detail} {error.hint}".strip()
                self._settle(target) if refused else self._keep(target)
                self._changed()
                if refused:
                    return
                await asyncio.sleep(self._retry_s)
            else:
                self._settle(target)
                target.detail, target.effective_ms = answer.detail, answer.effective_ms
                target.progress = "sent" if answer.pending else "applied"
                self._changed()
                if not answer.pending:
                    return
                await asyncio.sleep(self._retry_s)

    def _keep(self, target: Target) -> None:
        """Put it on the disk: `quantdeck guard` goes on with it when the console is gone."""
        if self._pending is None or target.host in self._kept:
            return
        now, request = self._clock(), self._request
        wish = Wish(
            experiment=self.experiment,
            host=target.host,
            request_id=request.request_id,
            by=request.by,
            reason=request.reason,
            asked=now,
            made=now,
        )
        try:
            self._pending.change([wish])
        except PendingFileError as error:
            target.detail = f"{target.detail} {error.detail}"
            return
        self._kept[target.host] = wish

    def _settle(self, target: Target) -> None:
        """Its agent has answered."""
        wish = self._kept.pop(target.host, None)
        if wish and self._pending:
            # What cannot be taken out is dropped by the next guard: the host says how it stands.
            with contextlib.suppress(PendingFileError):
                self._pending.change(drop=[wish])


def banner(runs: Iterable[RollbackRun], now: float) -> str:
    """What must stay on screen: rollbacks that are not applied everywhere."""
    for run in runs:
        late = [target for target in run.targets if target.progress in ("sent", "unreachable")]
        if run.started and late:
            where = ", ".join(f"{target.word(now)} on {target.host}" for target in late)
            return f"! rollback of {run.experiment}: {where}; trying again"
    return ""
