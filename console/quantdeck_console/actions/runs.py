"""What was asked for in this console, and goes on when the dialog or the pane that asked is closed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from quantdeck_console.actions.banner import banner
from quantdeck_console.actions.host_run import HostRun
from quantdeck_console.actions.resumed import Resumed
from quantdeck_console.actions.rollback import RollbackRun
from quantdeck_console.model.subject import Subject
from quantdeck_console.pending import PendingFile
from quantdeck_console.widgets.work import begin

if TYPE_CHECKING:
    from quantdeck_console.actions.deploy import Deployments
    from quantdeck_console.actions.replay import ReplayRun
    from quantdeck_console.app import DeckApp
    from quantdeck_console.model.deploy_order import Order


class Runs:
    """They are workers of the application, and end with it.

    Attributes:
        replays: of prompts, by what they are about.
        resumed: rollbacks that an earlier console could not bring to every host.
    """

    def __init__(self, deck: DeckApp, pending: PendingFile | None) -> None:
        self.replays: dict[Subject, ReplayRun] = {}
        self.resumed = self._resume(deck, pending) if pending else None
        self._deck = deck
        self._pending = pending
        self._runs: dict[str, HostRun] = {}

    @property
    def all(self) -> list[HostRun]:
        """Changes on several hosts."""
        return list(self._runs.values())

    @property
    def rollbacks(self) -> list[RollbackRun]:
        """The rollbacks among them."""
        return [run for run in self._runs.values() if isinstance(run, RollbackRun)]

    @cached_property
    def deployments(self) -> Deployments:
        """Imported with the pane that asks for it."""
        from quantdeck_console.actions.deploy import Deployments

        return Deployments(self._deck.link, self._deck.by, self._deck.model.clock, self._deck.draw_soon)

    @property
    def banner(self) -> str:
        """What is not applied everywhere; it stays on every pane until it is."""
        resumed = self.resumed
        return banner(
            self.all,
            resumed.wishes if resumed else (),
            resumed.expired if resumed else (),
            self._deck.model.clock(),
        )

    def resume(self) -> None:
        """Go on with what an earlier console has left."""
        if self.resumed:
            begin(self._deck, self.resumed.run, group="rollback")

    def rollback_of(self, experiment: str) -> RollbackRun:
        """The run that is under way for an experiment, or a new one that nothing was sent of."""
        known = self._runs.get(RollbackRun.key_of(experiment))
        if isinstance(known, RollbackRun) and not known.finished:
            return known
        deck = self._deck
        return RollbackRun(
            deck.link,
            experiment,
            (*deck.model.fleet.running(experiment), *deck.model.fleet.unheard),
            by=deck.by,
            clock=deck.model.clock,
            changed=deck.draw_soon,
            pending=self._pending,
        )

    def start(self, run: HostRun) -> None:
        """Send it, instead of what was open of another one with its key."""
        self._runs[run.key] = run
        begin(self._deck, run.run, group=run.key, exclusive=True)

    def stop(self, run: HostRun) -> None:
        """Ask no host again that has not answered."""
        self._deck.workers.cancel_group(self._deck, run.key)
        self._runs.pop(run.key, None)

    def deploy(self, orders: Sequence[Order]) -> None:
        """Ask for deployments."""
        begin(self._deck, partial(self.deployments.begin, orders), group="deploy")

    def replay(self, run: ReplayRun) -> None:
        """Send it."""
        self.replays[run.subject] = run
        begin(self._deck, run.run, group="replay")

    def _resume(self, deck: DeckApp, file: PendingFile) -> Resumed:
        return Resumed(
            deck.link,
            file,
            deck.model,
            by=deck.by,
            mine=lambda: {run.request_id for run in self.rollbacks},
            tell=lambda text: deck.say(text, "warn"),
            readonly=bool(deck.why_readonly),
        )
