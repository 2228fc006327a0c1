"""Whom a canary asks: the engines of an experiment's arms, past the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from quantdeck_agent.engines.command import api_key
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.experiments.route import epoch_of
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.canary.wire import neutral_sampling
from quantdeck_core.profile.names import VLLM
from quantdeck_core.protocol.gateway import VariantName


class ArmTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One replica.

    Attributes:
        engine: its name and generation.
        epoch: of its arm.
        model: the name by which it knows the model.
        sampling: what a greedy request says beside, so that engines do not differ by their defaults.
        prompt_logprobs: it tells the log probabilities of a prompt's own tokens.
        one_at_a_time: a request of ours would cut off the stream of a user: llama-cpp-python works on one request and
            lets a new one interrupt it (`interrupt_requests`).
    """

    variant: VariantName
    engine: str
    url: str
    api_key: str | None
    model: str
    epoch: int
    sampling: dict[str, float] = {}
    prompt_logprobs: bool = False
    one_at_a_time: bool = False


class CanaryTarget(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment: the replicas that serve now, none where an arm is not ready."""

    settings: CanarySettings
    control: tuple[ArmTarget, ...]
    treatment: tuple[ArmTarget, ...]
    weight_bp: int

    def arm(self, variant: VariantName) -> tuple[ArmTarget, ...]:
        """Of one side."""
        return self.control if variant == "control" else self.treatment

    def epoch(self, variant: VariantName) -> int:
        """Of what an arm serves; 0 where it serves nothing."""
        return max((one.epoch for one in self.arm(variant)), default=0)

    def has_users(self, variant: VariantName) -> bool:
        """Whether the weight sends users there."""
        return self.weight_bp < 10_000 if variant == "control" else self.weight_bp > 0


class ArmLoad(NamedTuple):
    """What the gateway says of an arm: requests that its engines work on, and that wait for a place."""

    in_flight: int = 0
    waiting: int = 0


LoadOf = Callable[[str, VariantName], ArmLoad]
"""Experiment, arm -> its load now."""
TargetOf = Callable[[str], CanaryTarget | None]
"""Experiment -> whom to ask; None where there is no such experiment."""
Names = Callable[[], Iterable[str]]
"""Experiments that there are."""


def arm_targets(variant: VariantName, serving: tuple[EngineRecord, ...]) -> tuple[ArmTarget, ...]:
    """Of the ready replicas of one arm."""
    return tuple(
        ArmTarget(
            variant=variant,
            engine=one.key,
            url=one.url,
            api_key=api_key(one.profile),
            model=one.asked_as,
            epoch=epoch_of(serving),
            sampling=neutral_sampling(one.profile.engine),
            prompt_logprobs=one.profile.engine in VLLM,
            one_at_a_time=one.profile.engine == "llama-cpp-python",
        )
        for one in serving
    )
