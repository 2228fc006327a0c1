"""The experiment file: what the gateway is to do beside the weight, and how much an arm takes on."""

from __future__ import annotations

import msgspec
import pytest

from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.route import experiment_route
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.errors import InputError
from quantdeck_core.profile.experiment import ExperimentFile
from quantdeck_core.profile.room import room_for_requests
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.toml_text import TomlError, decode_toml
from quantdeck_core.protocol.gateway import Limits, Shadow
from quantdeck_core.protocol.traffic import ArmLimits, Traffic
from quantdeck_core.rollout.state import RolloutState

SHORT = """
name = "int8_rollout_v1"
gateway = "gpu-1"
[control]
engine = "control"
[treatment]
engine = "treatment"
"""
COMPLETE = """
name = "int8_rollout_v1"
gateway = "gpu-1"
unkeyed = "request"
tester_header = true
shadow = { of = "treatment", share = 0.57 }
[pinned]
"ana@example.org" = "treatment"
[control]
engine = "control"
limits = { max_in_flight = 64, max_queue = 0, queue_s = 2.5, spill = true }
[treatment]
engine = "treatment"
[treatment.limits]
cap_tokens = 256
"""
TRAFFIC = Traffic(
    unkeyed="request",
    tester_header=True,
    shadow=Shadow(of="treatment", share_bp=57),
    pinned={"ana@example.org": "treatment"},
    control=ArmLimits(max_in_flight=64, max_queue=0, queue_s=2.5, spill=True),
    treatment=ArmLimits(cap_tokens=256),
)


def _file(text: str) -> ExperimentFile:
    return decode_toml(text, ExperimentFile, "experiment.toml")


def test_a_short_file_changes_nothing() -> None:
    assert _file(SHORT).traffic() == Traffic()


def test_a_complete_file() -> None:
    assert _file(COMPLETE).traffic() == TRAFFIC


@pytest.mark.parametrize(
    "line",
    [
        'unkeyed = "nobody"',
        'pinned = { ana = "both" }',
        'pinned = { "" = "control" }',
        "shadow = { of = 'control' }",
        "tester_header = 1",
    ],
)
def test_what_a_file_cannot_say(line: str) -> None:
    with pytest.raises(TomlError, match=r"experiment\.toml:"):
        _file(SHORT.replace('gateway = "gpu-1"', f'gateway = "gpu-1"\n{line}'))


@pytest.mark.parametrize(
    "limit", ["max_in_flight = 0", "max_queue = -1", "queue_s = 0", "cap_tokens = 0", "unknown = 1"]
)
def test_limits_that_are_none(limit: str) -> None:
    with pytest.raises(TomlError):
        _file(SHORT + f"[treatment.limits]\n{limit}")


def test_a_shadow_of_more_than_everything() -> None:
    with pytest.raises(InputError, match="not a weight"):
        _file(SHORT.replace('gateway = "gpu-1"', 'gateway = "gpu-1"\nshadow = { share = 101 }')).traffic()


def test_limits_are_those_of_the_preset_but_for_what_the_file_says() -> None:
    strict = _file(
        SHORT + '[rollback]\npreset = "customer-facing"\nrefusal_delta = 0.07\nslo = { ttft_p95_ms = 800 }'
    ).thresholds()
    assert (strict.repetition, strict.refusal_delta, strict.slo.ttft_p95_ms) == (0.08, 0.07, 800)
    assert _file(SHORT).thresholds() == Thresholds()


@pytest.mark.parametrize("line", ['preset = "lax"', "repetition = 2", "unknown = 1", "slo = { ttft_p95_ms = 0 }"])
def test_limits_that_are_none_are_refused(line: str) -> None:
    with pytest.raises(InputError):
        _file(SHORT + f"[rollback]\n{line}").thresholds()


def _record(**changes: object) -> ExperimentRecord:
    record = ExperimentRecord(
        name="e", served_name="a", control="c", treatment="t", thresholds=Thresholds(), traffic=TRAFFIC,
        state=RolloutState(),
    )  # fmt: skip
    return msgspec.structs.replace(record, **changes)


def test_the_gateway_is_told_all_of_it() -> None:
    route = experiment_route(_record(), (), ())
    assert (route.unkeyed, route.tester_header, route.shadow, route.pinned, route.latched) == (
        "request",
        True,
        Shadow(of="treatment", share_bp=57),
        {"ana@example.org": "treatment"},
        False,
    )
    assert route.control.limits == Limits(max_in_flight=64, max_queue=0, queue_s=2.5, spill=True)
    assert route.treatment.limits == Limits(cap_tokens=256)
    assert experiment_route(_record(state=RolloutState(stage="rollback")), (), ()).latched


def test_it_is_kept_with_the_experiment_and_older_records_have_none_of_it() -> None:
    kept = msgspec.json.encode(_record())
    assert msgspec.json.decode(kept, type=ExperimentRecord) == _record()
    older = msgspec.json.decode(kept)
    del older["traffic"]
    assert msgspec.convert(older, ExperimentRecord).traffic == Traffic()


def _profile(engine: str, **serve: object) -> Profile:
    return msgspec.convert({"name": "p", "model": "m.gguf", "engine": engine, "serve": serve}, Profile)


@pytest.mark.parametrize(
    ("engines", "room"),
    [
        ([], None),
        ([_profile("vllm", max_num_seqs=256)], 256 + 32),
        ([_profile("vllm")] * 2, 512 + 64),
        ([_profile("llama-server")], 4 + 1),
        ([_profile("llama-server", max_num_seqs=8)] * 3, 24 + 3),
        ([_profile("llama-cpp-python")], 1 + 1),
        ([_profile("vllm"), _profile("external")], None),
    ],
)
def test_what_engines_can_work_on_at_once_and_some_that_wait_in_them(engines: list[Profile], room: int | None) -> None:
    assert room_for_requests(engines) == room


def test_limits_that_were_not_given_follow_the_engines() -> None:
    assert ArmLimits().with_room(12).max_in_flight == 12
    assert ArmLimits(max_in_flight=3).with_room(12).max_in_flight == 3
    assert ArmLimits().with_room(None) == Limits()
