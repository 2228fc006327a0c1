"""The routing table: the config that decides about the next request."""

from __future__ import annotations

from collections.abc import Callable, Collection

from quantdeck_core.protocol.gateway import Arm as ArmConfig
from quantdeck_core.protocol.gateway import ExperimentRoute, GatewayConfig, LeaseStatus, RouteStatus
from quantdeck_gateway.answer_id import AnswerIds, AnswerOf, new_key, tag_of
from quantdeck_gateway.api_keys import Keys
from quantdeck_gateway.arm import Arm
from quantdeck_gateway.assignment import Assignment, assignment_of
from quantdeck_gateway.handover import TokenCount
from quantdeck_gateway.routing import Placements
from quantdeck_gateway.shadow import Copies


class Route:
    """An experiment while the gateway runs.

    Attributes:
        placements: where its users stand.
        config: as it was asked for.
        weight_bp: that decides about the next request; see `settle`.
        assignment: what decides beside it, mostly None.
        lapsed: nobody judges it.
        late: nobody has judged it for a while.
        unkeyed: requests without a user.
    """

    def __init__(self, name: str, ids: AnswerIds) -> None:
        self.name = name
        self.served_name = ""
        self.config = ExperimentRoute(name=name, served_name="", control=ArmConfig(), treatment=ArmConfig())
        self.weight_bp = 0
        self.assignment: Assignment | None = None
        self.lapsed = self.late = self._held = False
        self.unkeyed = 0
        self.placements = Placements(name)
        self.control = Arm(name, "control", ids)
        self.treatment = Arm(name, "treatment", ids)
        self.arms = (self.control, self.treatment)

    def apply(self, config: ExperimentRoute, revision: int) -> None:
        """Serve this from the next request on."""
        self.config, self.served_name = config, config.served_name
        self.control.apply(config.control, revision)
        self.treatment.apply(config.treatment, revision)
        self._decide(self._is_held())
        shadow = config.shadow
        for arm, other in (self.arms, self.arms[::-1]):
            arm.served_name = config.served_name
            arm.cuts_loops, arm.keeps_prompts = config.cut_loops, config.keep_flagged
            copied = shadow is not None and shadow.of == arm.variant and shadow.share_bp > 0
            arm.copies = Copies(other, shadow.share_bp) if copied and shadow else None

    def settle(self) -> None:
        """Once a second, and when the lease lapses or is renewed: is everyone to be on the control?"""
        held = self._is_held()
        if held is not self._held:
            self._decide(held)

    def _is_held(self) -> bool:
        """Nobody is moved to a control that cannot answer."""
        return self.config.latched or (self.lapsed and self.control.healthy)

    def _decide(self, held: bool) -> None:
        self._held = held
        self.weight_bp = 0 if held else self.config.weight_bp
        self.assignment = assignment_of(self.config, held=held)

    def retire(self, revision: int) -> None:
        """It is no longer in the config; what is in flight ends where it began."""
        self.control.apply(ArmConfig(), revision)
        self.treatment.apply(ArmConfig(), revision)
        self.control.copies = self.treatment.copies = None

    def other(self, arm: Arm) -> Arm:
        """The other arm."""
        return self.control if arm is self.treatment else self.treatment

    def spill_open(self, arm: Arm) -> bool:
        """Whether the other arm can be given users of this one. A treatment that is to have nobody is given nobody."""
        other = self.other(arm)
        return other.spacious and (other is self.control or self.weight_bp > 0)

    def second(self, now: float) -> None:
        """A second has passed."""
        for arm in (self.control, self.treatment):
            arm.second(now, self.spill_open(arm))

    @property
    def in_flight(self) -> int:
        """Of both arms."""
        return self.control.in_flight + self.treatment.in_flight

    def status(self, lease: LeaseStatus | None = None) -> RouteStatus:
        """As the control socket shows it."""
        return RouteStatus(
            name=self.name,
            weight_bp=self.config.weight_bp,
            effective_weight_bp=self.weight_bp,
            latched=self.config.latched,
            control=self.control.counters(),
            treatment=self.treatment.counters(),
            unkeyed=self.unkeyed,
            lease=lease,
        )


class RoutingTable:
    """All experiments, by name and by the model name that clients send.

    Args:
        ids: makes and reads the ids of answers; None: with a key of its own.
        keys: who may ask; None: everyone until a config has keys.

    Attributes:
        config: what is served now.
        live: its experiments, in its order.
        single: the only experiment; None where the model name must choose.
    """

    def __init__(self, ids: AnswerIds | None = None, keys: Keys | None = None) -> None:
        self.ids, self.keys = ids or AnswerIds(new_key()), keys or Keys()
        self.config = GatewayConfig()
        self.live: tuple[Route, ...] = ()
        self.single: Route | None = None
        self._by_model: dict[str, Route] = {}
        self._all: dict[str, Route] = {}

    def apply(self, config: GatewayConfig) -> None:
        """Decide by this config from the next request on; it was checked before."""
        live = []
        for experiment in config.experiments:
            route = self._all.setdefault(experiment.name, Route(experiment.name, self.ids))
            route.apply(experiment, config.revision)
            live.append(route)
        for route in self._all.values():
            if route not in live:
                route.retire(config.revision)
        self.config, self.live = config, tuple(live)
        self.single = live[0] if len(live) == 1 else None
        self._by_model = {route.served_name: route for route in live}
        self.keys.apply(config.api_keys)

    def set_lapsed(self, lapsed: Collection[str], late: Collection[str] = ()) -> None:
        """Nobody judges the lapsed, which decides about the next request, and may soon not judge the late."""
        for route in self._all.values():
            route.lapsed, route.late = route.name in lapsed, route.name in late
            route.settle()

    def tick(self) -> None:
        """A second has passed: controls may have fallen ill or got well."""
        for route in self.live:
            route.settle()

    def by_model(self, model: str) -> Route | None:
        """The experiment that serves a model name."""
        return self._by_model.get(model)

    def arm_of(self, answer: AnswerOf) -> Arm | None:
        """The arm that gave an answer; None where its experiment is no longer served."""
        for route in self.live:
            if tag_of(route.name) == answer.tag:
                return route.control if answer.variant == "control" else route.treatment
        return None

    def count_tokens(self, count: TokenCount) -> None:
        """The analyser has counted tokens of an arm's answers."""
        route = self._all.get(count.experiment)
        if route is not None:
            arm = route.control if count.variant == "control" else route.treatment
            arm.prompt_tokens += count.prompt
            arm.generation_tokens += count.generation

    def all(self) -> tuple[Route, ...]:
        """Also experiments that are no longer in the config; their counters stay."""
        return tuple(self._all.values())

    def status(self, lease: Callable[[str], LeaseStatus | None] = lambda _: None) -> tuple[RouteStatus, ...]:
        """What is served, and what was and still answers; `lease` knows each experiment's."""
        shown = (route for route in self._all.values() if route in self.live or route.in_flight)
        return tuple(route.status(lease(route.name)) for route in shown)
