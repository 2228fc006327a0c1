"""The lesson's fourth question: FP8 or INT4, on an H100 and on older GPUs."""

from __future__ import annotations

import pytest

from support.recommendations import ask, of, titles


@pytest.mark.parametrize("first", ["balance", "quality", "throughput", "latency"])
@pytest.mark.parametrize("gpu", ["h100-80gb", "b200-180gb", "l4", "rtx4090", "mi300x"])
def test_fp8_where_its_arithmetic_is(gpu: str, first: str) -> None:
    one = ask(gpu, size=8, first=first).answers[0]
    assert (one.scheme, one.engine, one.verdict) == ("fp8", "vllm", "ok")
    assert any("native here (NVIDIA: from compute capability 8.9)" in reason for reason in one.reasons)


@pytest.mark.parametrize("first", ["balance", "throughput", "memory", "latency"])
@pytest.mark.parametrize("gpu", ["a100-80gb", "a10", "t4", "rtx3090"])
def test_int4_on_older_gpus(gpu: str, first: str) -> None:
    said = ask(gpu, size=8, first=first)
    assert said.answers[0].scheme == "w4a16"
    assert titles(said).index("FP8 W8A8") > titles(said).index("INT8 W8A8") > 1


def test_an_a100_runs_fp8_weight_only() -> None:
    one = of(ask("a100-80gb", size=8), "FP8")
    assert one.verdict == "slow"
    assert any("weight-only" in warning for warning in one.warnings)
    assert not any("native" in reason for reason in one.reasons)


@pytest.mark.parametrize("gpu", ["jetson-orin-64gb", "arc-b580"])
def test_a_plugin_does_not_make_fp8_native(gpu: str) -> None:
    """The verdict on the platform may hide that on the format."""
    said = ask(gpu, size=3)
    assert titles(said).index("FP8 W8A8") > titles(said).index("AWQ 4-bit g128")
    assert not any("native here" in reason for reason in of(said, "FP8").reasons)


def test_what_each_costs() -> None:
    said = ask("h100-80gb", size=70, amount=2)
    fp8, int4 = of(said, "FP8"), of(said, "GPTQ")
    assert (fp8.quality.perplexity, int4.quality.perplexity) == ((0.0, 0.1), (0.3, 0.8))
    assert (fp8.weights_bytes_nominal, int4.weights_bytes_nominal) == (70 * 10**9, 35 * 10**9)
    assert "while it loads" in fp8.make[0]
    assert "no calibration data" in fp8.make[1]
    assert "your own traffic" in int4.make[0]


def test_int4_on_an_h100_where_memory_rules() -> None:
    assert ask("h100-80gb", size=8, first="memory").answers[0].bits == 4
    for first in ("balance", "throughput", "latency"):
        crowded = ask("h100-80gb", size=70, first=first)
        assert crowded.answers[0].bits == 4
        assert any("of what the engine may have" in warning for warning in of(crowded, "FP8").warnings)
    assert ask("h100-80gb", size=70, first="quality").answers[0].scheme == "fp8"
    assert ask("h100-80gb", size=70, amount=2).answers[0].scheme == "fp8"


def test_gptq_for_speed_awq_for_quality_and_for_unlike_calibration() -> None:
    assert titles(ask("a100-80gb", size=8, first="throughput"))[0].startswith("GPTQ")
    assert titles(ask("a100-80gb", size=8, first="throughput", calibration="mismatched"))[0].startswith("AWQ")
    assert titles(ask("a100-80gb", size=8))[0].startswith("AWQ")
    by_quality = [title for title in titles(ask("a100-80gb", size=8, first="quality")) if "4-bit" in title]
    assert by_quality == ["AWQ 4-bit g64", "AWQ 4-bit g128", "GPTQ 4-bit g128"]


def test_tools_that_are_still_developed() -> None:
    said = ask("a100-80gb", size=8)
    assert of(said, "AWQ").make[0].startswith("llm-compressor")
    assert of(said, "GPTQ").make[0].startswith("GPTQModel")


def test_bf16_is_the_control_and_where_it_has_no_room_it_is_said() -> None:
    said = ask("h100-80gb", size=8)
    assert of(said, "BF16").control
    assert not any("no room" in note for note in said.notes)
    assert any("BF16 has no room here" in note for note in ask("h100-80gb", size=70).notes)
