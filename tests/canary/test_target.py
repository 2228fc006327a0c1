"""Whom a canary asks, and how, by the engine."""

from __future__ import annotations

import pytest

from quantdeck_agent.canaries.target import CanaryTarget, arm_targets
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.profile.names import EngineKind
from quantdeck_core.profile.schema import Profile


def serving(engine: EngineKind, epoch: int = 3) -> EngineRecord:
    profile = Profile(
        name="p", model="m", engine=engine, url="https://there/", served_name="assistant", upstream_model="gpt"
    )
    return EngineRecord(
        name="e", generation=4, epoch=epoch, profile=profile, model_path="m", port=9001, place="active", started_at=0.0
    )


@pytest.mark.parametrize(
    ("engine", "sampling", "prompt_logprobs", "one_at_a_time"),
    [
        ("vllm", {"repetition_penalty": 1.0}, True, False),
        ("llama-server", {"repeat_penalty": 1.0}, False, False),
        ("llama-cpp-python", {"repeat_penalty": 1.0}, False, True),
        ("external", {}, False, False),
    ],
)
def test_engines_are_asked_alike_whatever_their_defaults(
    engine: EngineKind, sampling: dict[str, float], prompt_logprobs: bool, one_at_a_time: bool
) -> None:
    (target,) = arm_targets("control", (serving(engine),))
    assert (target.sampling, target.prompt_logprobs, target.one_at_a_time) == (sampling, prompt_logprobs, one_at_a_time)
    assert (target.engine, target.epoch, target.model) == ("e.4", 3, "gpt")
    assert target.url == ("https://there" if engine == "external" else "http://127.0.0.1:9001")


def test_users_are_where_the_weight_sends_them() -> None:
    arms = arm_targets("treatment", (serving("vllm"), serving("vllm", 5)))

    def at(weight_bp: int) -> tuple[bool, bool]:
        target = CanaryTarget(settings=CanarySettings(), control=(), treatment=arms, weight_bp=weight_bp)
        assert (target.epoch("control"), target.epoch("treatment")) == (0, 5)
        return target.has_users("control"), target.has_users("treatment")

    assert (at(0), at(500), at(10_000)) == ((True, False), (True, True), (False, True))
