"""What was measured, against what was planned, and what the next plan makes of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_console.device_source import load_devices
from quantdeck_core.memory.advice import advise
from quantdeck_core.memory.correction import Correction, corrected, correction_from, measured_need
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.experience import experience
from quantdeck_core.memory.identity import model_digest
from quantdeck_core.memory.load import Load, Observed
from quantdeck_core.memory.need import need_of
from quantdeck_core.memory.plan import Plan, plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Need, Serving
from quantdeck_profiles import data
from support.loads import CHECKPOINT, SERVING, load

DEVICES = load_devices(None)
ESTIMATES = parse_estimates(data.text("memory"))
CPU = Site(DEVICES.named("cpu"), 1, 64 * 2**30)
PLANNED = need_of(CHECKPOINT, SERVING, 4, 4096, ESTIMATES, CPU.device)

amounts = st.integers(1, 10**13)


def planned(*loads: Load, serving: Serving = SERVING, site: Site = CPU, version: str | None = None) -> Plan:
    return plan(CHECKPOINT, serving, site, ESTIMATES, experience(loads, CHECKPOINT, serving, site, ESTIMATES, version))


def codes(found: Plan) -> set[str]:
    return {advice.code for advice in advise(found, CHECKPOINT, SERVING, CPU)}


@settings(max_examples=50)
@given(
    parts=st.tuples(amounts, amounts, amounts),
    total=st.none() | amounts,
    weights=st.none() | amounts,
    kv=st.none() | amounts,
)
def test_a_correction_gives_back_what_was_measured(
    parts: tuple[int, int, int], total: int | None, weights: int | None, kv: int | None
) -> None:
    """Up to rounding, and never less than weights that the headers prove, or than weights and cache together."""
    need, measured = Need(*parts), Observed(total=total, weights=weights, kv=kv)
    again = corrected(need, correction_from(need, measured, need.weights), need.weights)
    took = measured_need(need, measured, need.weights)
    assert again.weights >= need.weights
    assert again.weights == pytest.approx(took.weights, abs=1, rel=1e-12)
    assert again.kv == pytest.approx(took.kv, abs=1, rel=1e-12)
    assert again.total == pytest.approx(took.total, abs=2, rel=1e-12)
    if total is not None and total >= took.weights + took.kv:
        assert again.total == pytest.approx(total, abs=2, rel=1e-12)


def test_the_same_flags_are_planned_as_they_were_measured() -> None:
    total = PLANNED.total + 700_000_000
    found = planned(load(total=total, kv=PLANNED.kv * 3 // 2))
    assert found.total_bytes_per_gpu == total
    assert found.planned_total_bytes_per_gpu == PLANNED.total
    assert found.correction is not None
    assert (found.correction.basis, found.correction.kv) == ("same", 1.5)


def test_other_flags_take_ratios_and_bytes_along() -> None:
    twice = msgspec.structs.replace(SERVING, max_model_len=8192)
    found = planned(load(total=PLANNED.total + PLANNED.kv // 2 + 1000, kv=PLANNED.kv * 3 // 2), serving=twice)
    by_itself = need_of(CHECKPOINT, twice, 4, 8192, ESTIMATES, CPU.device)
    assert found.total_bytes_per_gpu == by_itself.total + by_itself.kv // 2 + 1000
    assert found.correction is not None
    assert found.correction.basis == "similar"


def test_the_same_flags_speak_before_others() -> None:
    other = msgspec.structs.replace(SERVING, max_model_len=512)
    loads = [load(total=PLANNED.total + 7), *(load(t=200.0 + n, serving=other, total=1 << 40) for n in range(3))]
    known = planned(*loads).correction
    assert known is not None
    assert (known.basis, known.loads, known.overhead_bytes) == ("same", 1, 7)


def test_what_headers_prove_is_never_planned_away() -> None:
    """A plan may count copies of weights that turn out not to be made; the weights themselves stay."""
    assert corrected(Need(200, 10, 5), Correction(weights=0.3), 100).weights == 100
    assert corrected(Need(200, 10, 5), Correction(weights=0.7), 100).weights == 140


def test_weights_that_were_not_read_yet_are_counted() -> None:
    """Pages of a mapped file that nobody has used: the process is small, the plan is not."""
    found = planned(load(total=PLANNED.weights // 2))
    assert found.total_bytes_per_gpu == PLANNED.weights + PLANNED.kv


@pytest.mark.parametrize(
    "other",
    [
        load(total=1 << 40, model="0000000000000000"),
        load(total=1 << 40, serving=Serving(engine="xllamacpp")),
        load(total=1 << 40, kind="gpu", device="l4"),
    ],
)
def test_other_models_engines_and_kinds_of_devices_say_nothing(other: Load) -> None:
    assert planned(other).correction is None


def test_the_newest_version_counts_unless_one_is_named() -> None:
    old = load(t=1.0, engine_version="b1", total=PLANNED.total + 100)
    new = load(t=2.0, engine_version="b2", total=PLANNED.total + 200)
    assert planned(new, old).total_bytes_per_gpu == PLANNED.total + 200
    assert planned(new, old, version="b1").total_bytes_per_gpu == PLANNED.total + 100
    assert planned(new, old, version="b3").correction is None


def test_a_board_speaks_for_itself_alone() -> None:
    boards = [Site(device, 1, 64 * 2**30) for device in DEVICES if device.kind == "edge" and device.vendor == "nvidia"][
        :2
    ]
    measured = load(total=1 << 40, kind="edge", device=boards[0].device.name)
    assert planned(measured, site=boards[0]).correction is not None
    assert planned(measured, site=boards[1]).correction is None
    another_gpu = load(total=1 << 40, kind="gpu", device="l4")
    assert planned(another_gpu, site=Site(DEVICES.named("t4"))).correction is not None


def test_no_device_no_correction() -> None:
    assert experience((load(total=1 << 40),), CHECKPOINT, SERVING, None, ESTIMATES) is None


def test_promises_are_no_flags() -> None:
    asked = msgspec.structs.replace(SERVING, all_full=False, replicas=3)
    known = planned(load(total=1 << 40), serving=asked).correction
    assert known is not None
    assert known.basis == "same"


def test_the_load_in_the_middle_counts_and_of_two_the_larger() -> None:
    loads = [load(total=PLANNED.total + more) for more in (300, 100, 200)]
    assert planned(*loads).total_bytes_per_gpu == PLANNED.total + 200
    assert planned(*loads[:2]).total_bytes_per_gpu == PLANNED.total + 300
    known = planned(*loads).correction
    assert known is not None
    assert known.loads == 3


def test_a_whole_measurement_says_more_than_a_log() -> None:
    found = planned(load(kv=PLANNED.kv * 4), load(total=PLANNED.total + 5))
    assert found.total_bytes_per_gpu == PLANNED.total + 5


def test_what_takes_more_is_said_from_5_percent() -> None:
    assert "measured-more" in codes(planned(load(total=int(PLANNED.total * 1.06))))
    assert "measured-more" not in codes(planned(load(total=int(PLANNED.total * 1.04))))


def test_measurements_that_disagree_are_said_not_averaged() -> None:
    found = planned(load(total=PLANNED.total), load(total=PLANNED.total * 3 + 1))
    assert found.total_bytes_per_gpu == PLANNED.total * 3 + 1
    assert "measurements-disagree" in codes(found)
    assert "measurements-disagree" not in codes(planned(load(total=PLANNED.total), load(total=PLANNED.total * 2)))


def test_a_model_is_what_its_headers_say() -> None:
    replace = msgspec.structs.replace
    same = replace(CHECKPOINT, label="other words", files=7, provenance="unknown", remote_code=True)
    assert model_digest(same) == model_digest(CHECKPOINT)
    assert model_digest(replace(CHECKPOINT, tensor_bytes={"F16": 1, "F32": 2})) == model_digest(
        replace(CHECKPOINT, tensor_bytes={"F32": 2, "F16": 1})
    )
    others = [
        replace(CHECKPOINT, bits=8),
        replace(CHECKPOINT, kv_heads=32),
        replace(CHECKPOINT, weights_bytes=1),
        replace(CHECKPOINT, tensor_bytes={"F16": 1}),
        replace(CHECKPOINT, architecture="LlamaForCausalLM"),
    ]
    assert len({model_digest(one) for one in (CHECKPOINT, *others)}) == len(others) + 1


@pytest.mark.parametrize(
    "broken",
    [
        {"sequences": 0},
        {"planned": Need(-1, 0, 0)},
        {"total": -1},
        {"serving": Serving(engine="vllm", tensor_parallel=0)},
        {"serving": Serving(engine="vllm", kv_type="f12")},
        {"serving": Serving(engine="tgi")},
    ],
)
def test_no_plan_is_made_from_nonsense(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"too small|not known"):
        load(**broken)
