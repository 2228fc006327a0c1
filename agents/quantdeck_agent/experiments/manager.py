"""All experiments of a host: their parts, joined between the gateway, the engines and the people."""

from __future__ import annotations

from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.experiments.asks import Asks
from quantdeck_agent.experiments.cold_control import ColdControl
from quantdeck_agent.experiments.distributions import distributions
from quantdeck_agent.experiments.effects import Effects
from quantdeck_agent.experiments.gates import Gatekeeper
from quantdeck_agent.experiments.hearing import Hearing
from quantdeck_agent.experiments.incidents import Incidents
from quantdeck_agent.experiments.registry import Registry
from quantdeck_agent.experiments.rehearsals import Rehearsals
from quantdeck_agent.experiments.safety import Safety
from quantdeck_agent.experiments.watch import Watch
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.hub import Hub
from quantdeck_agent.paths import Paths
from quantdeck_agent.store import Store
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol.distributions import Distributions
from quantdeck_core.protocol.gateway import ExperimentRoute
from quantdeck_core.rollout.progress import RolloutProgress, progress
from quantdeck_core.rollout.who import WhoAnswer, who


class Experiments:
    """The experiments of one gateway.

    Attributes:
        asks: takes what people ask.
        watch: judges, and moves rollouts on.
        rehearsals: canaries and latency profiles.
        incidents: tells what happened.
        safety: keeps the way back open.
    """

    def __init__(self, host: str, store: Store, hub: Hub, paths: Paths) -> None:
        self.registry = Registry(store, paths.runtime)
        self.effects = Effects(self.registry, hub)
        self.effects.publish_freeze()
        hearing = Hearing()
        self.rehearsals = Rehearsals(store, self.registry, self.effects)
        self.incidents = Incidents(host, self.registry, paths.gateway_signals, self.rehearsals.target)
        self._gates = Gatekeeper(self.registry, self.effects, hearing, self.rehearsals)
        self.safety = Safety(self.registry, self.effects)
        self.watch = Watch(self.registry, self.effects, hearing, self._gates, self.rehearsals, self.safety)
        self.asks = Asks(self.registry, self.effects, self._gates, self.safety)

    def connect(self, engines: Engines, router: Router | None, cold: ColdControl | None = None) -> None:
        """Engines and gateway ask for routes, and routes need engines: they are made first, then joined here."""
        self.registry.engines, self.effects.router, self.safety.cold = engines, router, cold

    def progress(self, name: str, now: float) -> RolloutProgress:
        """Where a plan stands at a UNIX time.

        Raises:
            NotFoundError: no such experiment, or it has no plan.
        """
        controller = self.registry.named(name)
        found = progress(controller.record.state, self._gates.of(controller), now)
        if found is None:
            raise NotFoundError(f"No rollout of {name} runs.", "`quantdeck rollout start FILE` begins one.")
        return found

    def who(self, name: str, user: str) -> WhoAnswer:
        """Which arm a user is on.

        Raises:
            NotFoundError: no such experiment.
        """
        router = self.effects.router
        return who(
            self.registry.route(self.registry.named(name).record), user, lapsed=bool(router and router.lapsed(name))
        )

    def distributions(self, name: str, now: float) -> Distributions:
        """How long users of both arms wait, at a monotonic time.

        Raises:
            NotFoundError: no such experiment.
        """
        return distributions(self.registry.named(name).record, self.effects.router, now)

    # What the gateway's router asks: see `quantdeck_agent.gateway.router.Judge`

    def routes(self) -> tuple[ExperimentRoute, ...]:
        """What the gateway should serve now."""
        return self.registry.routes()

    def settled(self) -> None:
        """The gateway has acknowledged what is wanted now."""
        self.effects.settled()

    def judged(self) -> tuple[str, ...]:
        """Experiments that are judged now."""
        return self.watch.judged()

    def latched_elsewhere(self, experiment: str) -> None:
        """Somebody has latched it on the gateway itself."""
        self.watch.latched_elsewhere(experiment)

    def lapse_ended(self, experiment: str, seconds: float) -> None:
        """The gateway had no judge for so long; now it has this one."""
        self.watch.lapse_ended(experiment, seconds)
