"""One way to serve a model: a format on an engine, divided among the devices somehow."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from quantdeck_core.compat.judge import Verdict
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.plan import Plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving
from quantdeck_core.recommend.options import Option, Order

Planner = Callable[[Checkpoint, Serving, Site], Plan]


class Placed(NamedTuple):
    """A division among the devices that fits. `replicas`: one on each group of devices."""

    serving: Serving
    plan: Plan
    replicas: int

    @property
    def sequences(self) -> int:
        """Full ones at once in one replica."""
        return self.plan.max_concurrency or 0

    @property
    def crowding(self) -> float:
        """Weights as a share of what the engine may have."""
        return self.plan.weights_bytes_per_gpu / max(1, self.plan.room_bytes_per_gpu or 1)


class Candidate(NamedTuple):
    """A format that an engine does not refuse, and the division that suits it best.

    Attributes:
        engine: as the table of engines calls it.
        own: whether the checkpoint is there already.
        slow: whether the format runs below its promise on this device.
    """

    option: Option
    engine: str
    checkpoint: Checkpoint
    verdict: Verdict
    placed: Placed
    own: bool
    slow: bool

    def order(self, long: bool, mismatched: bool) -> Order:
        """Its places, as this device, this context and this calibration let them be."""
        option = self.option
        if self.slow and option.slow:
            return option.slow
        usual = option.long if long and option.long else option.order
        if not mismatched or option.mismatched is None:
            return usual
        return Order(
            balance=max(usual.balance, option.mismatched.balance),
            quality=max(usual.quality, option.mismatched.quality),
            speed=max(usual.speed, option.mismatched.speed),
        )
