"""The experiments of a host by name, and what the gateway should serve of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.experiments.controller import BLOCKS, KIND, Controller
from quantdeck_agent.experiments.drill import Drills
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.route import epoch_of, experiment_route
from quantdeck_agent.experiments.unsaved import Unsaved
from quantdeck_agent.store import Store
from quantdeck_core.errors import ConflictError, NotFoundError
from quantdeck_core.protocol.gateway import ExperimentRoute
from quantdeck_core.protocol.requests import Freeze

_FREEZE = "freeze"
_HOST = "host"


class Registry:
    """Controllers, the engines behind them, and whether the host is frozen.

    Attributes:
        drills: rehearsed rollbacks.
        bringing: by experiment, what goes on to bring its control back.
        frozen: who holds all automation but rollbacks, and why; None where nobody does.
    """

    def __init__(self, store: Store, runtime: Path) -> None:
        """`runtime`: where a rollback is kept that the disk of the state refuses."""
        self.store = store
        self._unsaved = Unsaved(runtime)
        self._controllers = {
            name: Controller(record, store, self._unsaved) for name, record in store.all(KIND, ExperimentRecord).items()
        }
        self.frozen = store.all(_FREEZE, Freeze).get(_HOST)
        self.drills = Drills(store)
        self.bringing: dict[str, str] = {}
        self.engines: Engines | None = None

    def __iter__(self) -> Iterator[Controller]:
        return iter(tuple(self._controllers.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._controllers

    def find(self, name: str) -> Controller | None:
        """The one of this name, where there is one."""
        return self._controllers.get(name)

    def named(self, name: str) -> Controller:
        """The one of this name.

        Raises:
            NotFoundError: there is none.
        """
        controller = self._controllers.get(name)
        if controller is None:
            raise NotFoundError(f"No experiment is called {name!r} here.", "`quantdeck experiment list` shows them.")
        return controller

    def live_with(self, served_name: str) -> str:
        """The experiment that splits this name's users now; empty for none. A gateway cannot split them twice."""
        names = (one.record.name for one in self if one.record.served_name == served_name and not one.record.finished)
        return next(names, "")

    def add(self, record: ExperimentRecord) -> Controller:
        """A new one, persisted; a baseline that served the same name before makes place for it."""
        controller = Controller(record, self.store, self._unsaved)
        replaced = [
            one.record.name for one in self if one.record.finished and one.record.served_name == record.served_name
        ]
        with self.store.transaction():
            for name in replaced:
                self.store.delete(KIND, name)
                self.store.delete(BLOCKS, name)
            self.store.put(KIND, record.name, record)
        for name in replaced:
            del self._controllers[name]
        self._controllers[record.name] = controller
        return controller

    def freeze(self, freeze: Freeze | None) -> None:
        """Hold all automation but rollbacks, or let it go on."""
        if freeze:
            self.store.put(_FREEZE, _HOST, freeze)
        else:
            self.store.delete(_FREEZE, _HOST)
        self.frozen = freeze

    def running(self, name: str) -> Controller:
        """The one of this name that has not ended.

        Raises:
            NotFoundError: there is none.
            ConflictError: it has ended.
        """
        controller = self.named(name)
        if controller.record.finished:
            raise ConflictError(
                f"{name} has ended: {controller.record.control} is the baseline now.",
                "`quantdeck experiment create FILE` puts another engine beside it.",
            )
        return controller

    # What serves

    def serving(self, engine: str) -> tuple[EngineRecord, ...]:
        """The ready replicas of an engine."""
        return self.engines.serving(engine) if self.engines and engine else ()

    def require_ready(self, engine: str, role: str) -> None:
        """Have it serve.

        Raises:
            ConflictError: it does not.
        """
        if not self.serving(engine):
            raise ConflictError(f"The {role} {engine} is not ready.", "Deploy it again and wait until it is ready.")

    def routes(self) -> tuple[ExperimentRoute, ...]:
        """What the gateway should serve now."""
        return tuple(self.route(controller.record) for controller in self)

    def route(self, record: ExperimentRecord) -> ExperimentRoute:
        """One experiment's split."""
        route = experiment_route(record, self.serving(record.control), self.serving(record.treatment))
        return msgspec.structs.replace(route, weight_bp=self.drills.weight_bp(record.name, route.weight_bp))

    def start_generation(self, controller: Controller, now: float) -> None:
        """Judge the processes that serve now, at a UNIX time."""
        record = controller.record
        control, treatment = self.serving(record.control), self.serving(record.treatment)
        controller.start_generation(epoch_of(control), epoch_of(treatment), now)
