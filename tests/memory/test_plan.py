"""Does it fit, how often, and what would make it fit; with the lesson's numbers."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_console.device_source import load_devices
from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.memory.advice import advise
from quantdeck_core.memory.change import changes
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.kv import ShapeUnknownError
from quantdeck_core.memory.plan import ImplausibleError, Plan, plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving, serving_from
from quantdeck_core.memory.weights import nominal_weights_bytes
from quantdeck_core.profile.names import STARTED, EngineKind
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Serve
from quantdeck_profiles import data
from support.llamas import LLAMA_2_7B, LLAMA_2_13B, LLAMA_2_70B, Llama, llama_folder

DEVICES = load_devices(None)
GIVEN = parse_estimates(data.text("memory"))
GB = 10**9


def read(folder: Path, model: Llama, quantized: str = "") -> Checkpoint:
    return detect(LocalSource(llama_folder(folder / "model", model, quantized)))


def at(name: str, amount: int = 1, ram: int | None = None) -> Site:
    return Site(DEVICES.named(name), amount, ram)


def planned(checkpoint: Checkpoint, site: Site | None, **serving: object) -> Plan:
    return plan(checkpoint, Serving(**{"engine": "vllm", **serving}), site, GIVEN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "quantized", "gigabytes", "by_weights"),
    [
        (LLAMA_2_13B, "", 26.0, 3),
        (LLAMA_2_13B, "awq", 7.2, 11),
        (LLAMA_2_7B, "", 13.5, 5),
        (LLAMA_2_7B, "gptq", 3.9, 20),
    ],
)
def test_the_incident_by_weights(
    tmp_path: Path, model: Llama, quantized: str, gigabytes: float, by_weights: int
) -> None:
    """The lesson: 26 GB and three replicas a GPU in BF16, 7 GB and eleven in INT4. With a KV cache there are fewer."""
    found = planned(read(tmp_path, model, quantized), at("h100-80gb"))
    assert found.weights_bytes / GB == pytest.approx(gigabytes, rel=0.02)
    assert found.replicas_by_weights == by_weights
    assert found.fits
    assert 0 < (found.replicas_per_gpu or 0) < by_weights


@pytest.mark.parametrize(("bits", "gigabytes"), [(16, 140), (8, 70), (4, 35)])
def test_70b_by_the_lessons_count(bits: int, gigabytes: int) -> None:
    assert nominal_weights_bytes(70 * GB, bits) == gigabytes * GB
    assert nominal_weights_bytes(7 * GB, 4) == 3.5 * GB


@pytest.mark.parametrize(("quantized", "per_gpu"), [("", 35), ("fp8", 17.5), ("gptq", 8.75)])
def test_70b_on_four_gpus(tmp_path: Path, quantized: str, per_gpu: float) -> None:
    """35, 17.5 and 8.75 GB a GPU at TP=4, where embeddings stay in 16 bits within 9 %."""
    found = planned(read(tmp_path, LLAMA_2_70B, quantized), at("a100-80gb", 4), tensor_parallel=4)
    assert found.weights_bytes_per_gpu / GB == pytest.approx(per_gpu, rel=0.09)
    assert found.kv_bytes_per_token == 4 * found.kv_bytes_per_token_per_gpu == 320 * 1024
    assert found.fits


def test_two_replicas_of_two_gpus(tmp_path: Path) -> None:
    """70B INT4 on 4 x A100: the lesson's answer is two replicas with TP=2."""
    found = planned(read(tmp_path, LLAMA_2_70B, "gptq"), at("a100-80gb", 4), tensor_parallel=2, max_num_seqs=128)
    assert (found.fits, (found.replicas or 0) >= 2) == (True, True)
    assert (found.max_concurrency or 0) > 64


def test_what_was_asked_must_have_room_what_is_only_a_bound_need_not(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, LLAMA_2_7B)
    asked = planned(checkpoint, at("a100-80gb"), max_num_seqs=32, all_full=True)
    bound = planned(checkpoint, at("a100-80gb"), max_num_seqs=32)
    assert (asked.fits, asked.kv_bytes, asked.sequences) == (False, 64 * 2**30, 32)
    assert (bound.fits, bound.sequences, bound.max_concurrency) == (True, asked.max_concurrency, asked.max_concurrency)
    assert "waits-when-full" in {a.code for a in advise(bound, checkpoint, Serving(engine="vllm"), at("a100-80gb"))}


def test_vllm_books_its_share_whatever_it_needs(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, LLAMA_2_7B, "gptq")
    found = planned(checkpoint, at("a100-80gb"), gpu_memory_utilization=0.5)
    assert found.booked_bytes_per_gpu == found.room_bytes_per_gpu == 81920 * 2**20 // 2


def test_replicas_share_a_gpu(tmp_path: Path) -> None:
    """Eleven by weights alone: five have a KV cache too, and where five were asked each has a fifth of the GPU."""
    checkpoint = read(tmp_path, LLAMA_2_13B, "awq")
    alone = planned(checkpoint, at("h100-80gb"))
    assert (alone.replicas_by_weights, alone.replicas_per_gpu) == (11, 5)
    eleven = planned(checkpoint, at("h100-80gb"), replicas=11)
    five = planned(checkpoint, at("h100-80gb"), replicas=5)
    assert (eleven.fits, five.fits) == (False, True)
    assert five.room_bytes_per_gpu == (alone.room_bytes_per_gpu or 0) // 5
    assert (five.max_concurrency or 0) < (alone.max_concurrency or 0) // 5
    fixed = planned(checkpoint, at("h100-80gb"), gpu_memory_utilization=0.30)
    assert fixed.replicas_per_gpu == 3
    serving = Serving(engine="vllm", replicas=11)
    found = changes(functools.partial(plan, given=GIVEN), checkpoint, serving, at("h100-80gb"), tuple(DEVICES))
    assert ("replicas", ("--replicas", "5")) in [(change.code, change.options) for change in found]


def test_the_whole_machine_is_asked_for_gpus(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, LLAMA_2_70B, "gptq")
    found = planned(checkpoint, at("a100-80gb"), tensor_parallel=2)
    assert (found.fits, found.problems[0].code) == (False, "too-few-devices")
    serving = Serving(engine="vllm", tensor_parallel=3)
    better = changes(functools.partial(plan, given=GIVEN), checkpoint, serving, at("a100-80gb", 2), tuple(DEVICES))
    assert (better[0].code, better[0].options) == ("other-division", ("--tp", "2"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"heads": 40}, "40 attention heads"),
        ({"kv_heads": 5, "heads": 80}, "5 KV heads"),
        ({"intermediate_size": 11_004}, "11004 cannot be divided"),
        ({"intermediate_size": 11_008, "group_size": 128}, "no whole number of groups"),
    ],
)
def test_what_cannot_be_divided_does_not_fit(changed: dict[str, int], words: str) -> None:
    base = {"layers": 2, "hidden_size": 64, "heads": 64, "kv_heads": 8, "head_dim": 64}
    checkpoint = Checkpoint(format="gptq", label="", **{**base, **changed})  # type: ignore[arg-type]
    found = planned(checkpoint, at("a100-80gb", 16), tensor_parallel=16)
    assert found.fits is False
    assert words in found.problems[0].detail
    assert found.problems[0].hint


def test_changes_from_the_cheapest_to_the_dearest(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, LLAMA_2_7B)
    serving = Serving(engine="vllm", max_num_seqs=32, all_full=True)
    planner = functools.partial(plan, given=GIVEN)
    found = changes(planner, checkpoint, serving, at("a100-80gb"), tuple(DEVICES))
    assert [change.code for change in found][:3] == ["kv-dtype", "concurrency", "context"]
    with_idle = changes(planner, checkpoint, serving, at("a100-80gb", 2), tuple(DEVICES))
    assert with_idle[0].code == "idle-gpus"
    assert with_idle[0].options == ("--tp", "2")


def test_a_model_too_large_for_one_gpu_is_told_to_divide_or_to_quantize(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, LLAMA_2_70B)
    found = changes(
        functools.partial(plan, given=GIVEN), checkpoint, Serving(engine="vllm"), at("a100-80gb"), tuple(DEVICES)
    )
    assert [change.code for change in found] == ["weights-8-bit", "weights-4-bit", "more-gpus", "device"]


def test_what_idle_gpus_do_not_solve_alone_is_tried_on_all_of_them(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, LLAMA_2_70B)
    found = changes(
        functools.partial(plan, given=GIVEN), checkpoint, Serving(engine="vllm"), at("l4", 4), tuple(DEVICES)
    )
    assert [change.code for change in found] == [
        "idle-gpus+weights-8-bit",
        "idle-gpus+weights-4-bit",
        "more-gpus",
        "device",
    ]
    assert found[0].options == ("--tp", "4")


def test_advice_of_the_lesson() -> None:
    def codes(checkpoint: Checkpoint, site: Site | None = None, **given: object) -> set[str]:
        serving = Serving(**{"engine": "vllm", **given})  # type: ignore[arg-type]
        return {a.code for a in advise(plan(checkpoint, serving, site, GIVEN), checkpoint, serving, site)}

    shape = {"layers": 2, "hidden_size": 64, "heads": 8, "kv_heads": 8, "head_dim": 64, "weights_bytes": 10**9}
    int4 = Checkpoint(format="gptq", label="", bits=4, **shape)  # type: ignore[arg-type]
    assert "utilization-high" in codes(int4, gpu_memory_utilization=0.95)
    assert "utilization-high" not in codes(int4, gpu_memory_utilization=0.90)
    assert "nf4-production" in codes(Checkpoint(format="bitsandbytes", label="", bits=4, **shape))  # type: ignore[arg-type]
    assert "desc-act" in codes(Checkpoint(format="gptq", label="", desc_act=True, **shape))  # type: ignore[arg-type]
    assert "awq-batch-1" in codes(Checkpoint(format="awq", label="", bits=4, **shape), max_num_seqs=1)  # type: ignore[arg-type]
    assert "tp-over-pcie" in codes(int4, at("l4", 2), tensor_parallel=2)
    assert "tp-over-pcie" not in codes(int4, at("a100-80gb", 2), tensor_parallel=2)
    assert "share-utilization" in codes(int4, at("a100-80gb"), replicas=2)
    assert "share-utilization" not in codes(int4, at("a100-80gb", 2), replicas=2)
    assert "recurrent-state" in codes(Checkpoint(format="gptq", label="", attention_layers=1, **shape))  # type: ignore[arg-type]
    assert "gpus-idle" in codes(int4, at("a100-80gb", 2))


def test_a_machine_without_a_gpu_keeps_some_ram(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, LLAMA_2_7B)
    found = planned(checkpoint, at("cpu", ram=32 * 2**30), engine="vllm-cpu")
    assert found.fits
    assert 0.8 * 32 * 2**30 < (found.room_bytes_per_gpu or 0) < 32 * 2**30
    with pytest.raises(InputError, match="not known"):
        planned(checkpoint, at("cpu"), engine="vllm-cpu")


def test_engines_that_are_not_planned() -> None:
    with pytest.raises(InputError, match="does not plan the memory of tgi"):
        planned(Checkpoint(format="gptq", label=""), None, engine="tgi")


@settings(max_examples=60)
@given(
    weights=st.integers(0, 10**12),
    tokens=st.integers(1, 200_000),
    sequences=st.integers(1, 2000),
    tp=st.sampled_from([1, 2, 4, 8]),
    engine=st.sampled_from(["vllm", "llama-server"]),
    all_full=st.booleans(),
)
def test_what_the_plan_promises_it_keeps(
    weights: int, tokens: int, sequences: int, tp: int, engine: str, all_full: bool
) -> None:
    """Its own largest context and concurrency fit, one more does not; totals add up."""
    checkpoint = Checkpoint(
        format="safetensors", label="", layers=32, hidden_size=4096, intermediate_size=11_008, heads=32, kv_heads=8,
        head_dim=128, vocab_size=32_000, weights_bytes=weights,
    )  # fmt: skip
    given: dict[str, object] = {
        "engine": engine,
        "max_model_len": tokens,
        "all_full": all_full,
        "max_num_seqs": sequences,
    }
    if engine == "vllm":
        given["tensor_parallel"] = tp
    found = planned(checkpoint, at("h100-80gb", 8), **given)
    assert found.total_bytes == found.weights_bytes_per_gpu * tp_of(found) + found.kv_bytes + found.overhead_bytes
    assert found.fits == (found.total_bytes_per_gpu <= (found.room_bytes_per_gpu or 0))
    most = found.max_concurrency or 0
    again = {**given, "all_full": True}
    if most:
        assert planned(checkpoint, at("h100-80gb", 8), **{**again, "max_num_seqs": most}).fits
    assert found.fits or found.sequences > most


def tp_of(found: Plan) -> int:
    return found.tensor_parallel * found.pipeline_parallel


def test_vllm_takes_the_cache_that_the_checkpoint_was_calibrated_for() -> None:
    calibrated = Checkpoint(format="fp8", label="", kv_cache_dtype="fp8")
    profile = Profile(name="p", model="m", engine="vllm")
    assert serving_from(profile, calibrated).kv_type == "fp8"
    asked = msgspec.structs.replace(profile, serve=Serve(kv_cache_dtype="bfloat16"))
    assert serving_from(asked, calibrated).kv_type == "bf16"
    assert serving_from(msgspec.structs.replace(profile, engine="llama-server"), calibrated).kv_type == "f16"


AMOUNTS = st.none() | st.integers(1, 2**63)
CLAIMS = (
    "layers", "hidden_size", "vocab_size", "intermediate_size", "experts_used", "heads", "kv_heads", "head_dim",
    "context_length", "sliding_window", "kv_lora_rank", "group_size", "bits", "parameters",
)  # fmt: skip


BARELY = dict.fromkeys(CLAIMS) | {"layers": 3_489_820_639, "kv_lora_rank": 5041}
"""Planned as it is; a change that takes a little more is beyond any machine."""


@settings(max_examples=150)
@example(shape=BARELY, weights=0, mla=True, engine="vllm", device="t4")
@given(
    shape=st.fixed_dictionaries(dict.fromkeys(CLAIMS, AMOUNTS)),
    weights=st.integers(0, 2**63),
    mla=st.booleans(),
    engine=st.sampled_from(STARTED),
    device=st.sampled_from(["t4", "cpu", "jetson-orin-64gb", "m3-max-128gb"]),
)
def test_whatever_a_checkpoint_claims_there_is_a_plan_or_an_error_for_people(
    shape: dict[str, int | None], weights: int, mla: bool, engine: EngineKind, device: str
) -> None:
    checkpoint = Checkpoint(format="gguf", label="", weights_bytes=weights, mla=mla, **shape)  # type: ignore[arg-type]
    site = at(device, 2, 64 * 2**30)
    serving = serving_from(Profile(name="p", model="m", engine=engine), checkpoint)
    try:
        found = plan(checkpoint, serving, site, GIVEN)
    except (ShapeUnknownError, ImplausibleError):
        return
    assert msgspec.json.encode(found)
    advise(found, checkpoint, serving, site)
    changes(functools.partial(plan, given=GIVEN), checkpoint, serving, site, tuple(DEVICES))
