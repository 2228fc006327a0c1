"""A rollback on its way: sent to every gateway of the experiment, and kept on the disk until each has applied it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from uuid import uuid4

from quantdeck_console.actions.host_run import RETRY_S, HostRun
from quantdeck_console.actions.kept import Kept
from quantdeck_console.link.interface import FleetLink
from quantdeck_console.model.host_progress import Target
from quantdeck_console.pending import PendingFile
from quantdeck_core.errors import RemoteError, UnreachableError
from quantdeck_core.fleet.cells import plural, split
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.requests import Applied, Rollback
from quantdeck_core.rollout.wish import Wish


def rollback_target(view: HostView, experiment: str) -> Target | None:
    """What a rollback would do on a host; None where that does not run the experiment."""
    if view.status is None:
        return Target(host=view.name, heard=False)
    found = view.experiment(experiment)
    if found is None:
        return None
    if found.state.latched:
        return Target(host=view.name, change="100/0, latched")
    under_way = f"{plural(found.treatment.in_flight, 'treated answer')} under way"
    return Target(host=view.name, change=f"{split(found.state.weight_bp)} -> 100/0", note=under_way)


class RollbackRun(HostRun):
    """One rollback on all gateways of an experiment; it outlives its dialog, and this console."""

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
        super().__init__(
            [target for view in views if (target := rollback_target(view, experiment))],
            self._roll_back,
            key=self.key_of(experiment),
            subject=f"rollback of {experiment}",
            done="everyone is on the control",
            lasting=True,
            clock=clock,
            changed=changed,
            retry_s=retry_s,
        )
        self.experiment = experiment
        self.kept = Kept(pending)
        self._link = link
        # One id for every host and every attempt: an agent that gets it twice applies it once.
        self._request = Rollback(request_id=uuid4().hex, by=by, reason=f"rolled back in the console by {by}")

    @staticmethod
    def key_of(experiment: str) -> str:
        """There is one rollback of an experiment at a time."""
        return f"rollback {experiment}"

    @property
    def request_id(self) -> str:
        """What it is known by on every host."""
        return self._request.request_id

    @property
    def problem(self) -> str:
        """Why it ends with this console where it is open then."""
        return self.kept.problem

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
        if not self.started:
            self.kept.put(self._wish(target) for target in self.targets)
        await super().run()
        await self.kept.written()

    async def _roll_back(self, target: Target) -> Applied:
        return await self._link.ask(target.host, lambda client: client.roll_back(self.experiment, self._request))

    def unanswered(self, target: Target) -> None:
        """What could not be written is tried again."""
        self.kept.write()

    def answered(self, target: Target) -> None:
        """Its agent goes on with it, or refuses it."""
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
