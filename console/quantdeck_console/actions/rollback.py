"""A rollback on its way: sent to every gateway of the experiment, and kept on the disk while one has not answered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from uuid import uuid4

from quantdeck_console.actions.host_run import RETRY_S, HostRun
from quantdeck_console.link.interface import FleetLink
from quantdeck_console.model.host_progress import Target
from quantdeck_console.pending import PendingFile, PendingFileError
from quantdeck_core.fleet.cells import plural, split
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, Rollback
from quantdeck_core.rollout.wish import Wish


def rollback_target(view: HostView, experiment: ExperimentStatus) -> Target:
    """What a rollback would do on a host."""
    if experiment.state.latched:
        return Target(host=view.name, change="already 100/0", note="latched")
    under_way = f"{plural(experiment.treatment.in_flight, 'treated answer')} under way"
    return Target(host=view.name, change=f"{split(experiment.state.weight_bp)} -> 100/0", note=under_way)


class RollbackRun(HostRun):
    """One rollback on all gateways of an experiment; it outlives its dialog."""

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
        super().__init__(
            [rollback_target(view, found) for view in views if (found := view.experiment(experiment))],
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
        self._link, self._pending = link, pending
        self._kept: dict[str, Wish] = {}
        # One id for every host and every attempt: an agent that gets it twice applies it once.
        self._request = Rollback(request_id=uuid4().hex, by=by, reason=f"rolled back in the console by {by}")

    @staticmethod
    def key_of(experiment: str) -> str:
        """There is one rollback of an experiment at a time."""
        return f"rollback {experiment}"

    async def _roll_back(self, target: Target) -> Applied:
        return await self._link.ask(target.host, lambda client: client.roll_back(self.experiment, self._request))

    def unanswered(self, target: Target) -> None:
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

    def answered(self, target: Target) -> None:
        """Its agent goes on with it, or refuses it."""
        wish = self._kept.pop(target.host, None)
        if wish and self._pending:
            # What cannot be taken out is dropped by the next guard: the host says how it stands.
            with contextlib.suppress(PendingFileError):
                self._pending.change(drop=[wish])
