"""A rollback on its way: sent to every gateway of the experiment, and repeated until each has applied it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from uuid import uuid4

from quantdeck_console.actions.kept import Kept
from quantdeck_console.actions.target import Target
from quantdeck_console.link.interface import FleetLink
from quantdeck_console.pending import PendingFile
from quantdeck_core.errors import NotFoundError, QuantdeckError, RemoteError, UnreachableError
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.requests import Rollback
from quantdeck_core.rollout.wish import Wish

RETRY_S = 2.0


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
        """A rollback of what these hosts say that they run, and of what those may run that were never heard.

        Args:
            pending: where it is kept until it is acknowledged, so that it outlives the console.
        """
        self.experiment = experiment
        self.targets = [target for view in views if (target := Target.of(view, experiment))]
        self.started = False
        self.kept = Kept(pending)
        self._link = link
        self._clock = clock
        self._changed = changed
        self._retry_s = retry_s
        # One id for every host and every attempt: an agent that gets it twice applies it once.
        self._request = Rollback(request_id=uuid4().hex, by=by, reason=f"rolled back in the console by {by}")

    @property
    def request_id(self) -> str:
        """What it is known by on every host."""
        return self._request.request_id

    @property
    def gateways(self) -> list[Target]:
        """Targets that run the experiment, as far as is known."""
        return [target for target in self.targets if target.heard]

    @property
    def unheard(self) -> list[Target]:
        """Targets of which nobody knows whether they run it."""
        return [target for target in self.targets if not target.heard and target.progress != "absent"]

    @property
    def applied(self) -> bool:
        """Every gateway has acknowledged, and no other host may run it."""
        return bool(self.gateways) and all(target.progress in ("applied", "absent") for target in self.targets)

    @property
    def open(self) -> list[Target]:
        """Targets that a retry may still reach."""
        return [target for target in self.targets if target.open]

    @property
    def finished(self) -> bool:
        """Nothing more will happen: applied or refused everywhere."""
        return self.started and not self.open

    async def prepare(self) -> None:
        """Open a channel to each host, so that the rollback itself takes one round trip; see who answers at all."""

        async def one(target: Target) -> None:
            with contextlib.suppress(UnreachableError):
                with contextlib.suppress(RemoteError):
                    await self._link.ask(target.host, lambda client: client.version())
                target.silent = False
                self._changed()

        await asyncio.gather(*(one(target) for target in self.targets))

    async def run(self) -> None:
        """Send to all at once; return when each has applied or refused it."""
        if self.started:
            return
        self.started = True
        self.kept.put(self._wish(target) for target in self.targets)
        await asyncio.gather(*(self._one(target) for target in self.targets))
        await self.kept.written()

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
                self._failed(target, error)
            else:
                target.heard = True
                self.kept.settle(target.host)
                target.detail, target.effective_ms = answer.detail, answer.effective_ms
                target.progress = "sent" if answer.pending else "applied"
            self._changed()
            if not target.open:
                return
            await asyncio.sleep(self._retry_s)

    def _failed(self, target: Target, error: QuantdeckError) -> None:
        target.detail = f"{error.detail} {error.hint}".strip()
        if not isinstance(error, RemoteError) or error.status >= 500:
            target.progress = "unreachable"
            self.kept.write()
            return
        nothing_there = not target.heard and error.status == NotFoundError.http_status
        target.progress = "absent" if nothing_there else "refused"
        self.kept.settle(target.host)

    def _wish(self, target: Target) -> Wish:
        now, request = self._clock(), self._request
        return Wish(
            experiment=self.experiment,
            host=target.host,
            request_id=request.request_id,
            by=request.by,
            reason=request.reason,
            asked=now,
            made=now,
        )
