"""The lesson's second question: tensor parallelism or pipeline parallelism."""

from __future__ import annotations

import pytest

from support.recommendations import ask, of


@pytest.mark.parametrize("first", ["balance", "throughput", "quality", "latency"])
def test_tensor_parallelism_inside_nvlink(first: str) -> None:
    said = ask("a100-80gb", amount=4, size=70, first=first)
    vllm = [one for one in said.answers if one.engine == "vllm"]
    assert {one.pipeline_parallel for one in vllm} == {1}
    assert of(said, "BF16").tensor_parallel == 4
    assert any("inside NVLink" in reason for reason in of(said, "BF16").reasons)


def test_pipeline_parallelism_over_pcie() -> None:
    one = of(ask("l4", amount=4, size=34), "AWQ")
    assert (one.tensor_parallel, one.pipeline_parallel, one.replicas) == (1, 2, 2)
    assert any("Over PCIe pipeline parallelism" in reason for reason in one.reasons)
    assert any("latency grows" in warning for warning in one.warnings)


def test_the_interconnect_can_be_named() -> None:
    """The same GPUs without their bridge."""
    assert of(ask("a100-80gb", amount=4, size=70), "BF16").tensor_parallel == 4
    without = of(ask("a100-80gb", amount=4, size=70, interconnect="pcie"), "BF16")
    assert (without.tensor_parallel, without.pipeline_parallel) == (1, 2)
    with_bridge = of(ask("l4", amount=4, size=34, interconnect="nvlink"), "AWQ")
    assert (with_bridge.tensor_parallel > 1, with_bridge.pipeline_parallel) == (True, 1)


def test_pipeline_parallelism_past_the_interconnect() -> None:
    """405B in BF16 is more than eight H100s hold: eight by NVLink, twice."""
    said = ask("h100-80gb", amount=16, size=405)
    one = of(said, "BF16")
    assert (one.tensor_parallel, one.pipeline_parallel, one.replicas) == (8, 2, 1)
    assert any("ends where NVLink does" in reason for reason in one.reasons)
    assert (said.answers[0].tensor_parallel, said.answers[0].pipeline_parallel) == (8, 1)


def test_from_400b_on_pipeline_parallelism_is_worth_a_measurement() -> None:
    large, small = ask("h100-80gb", amount=8, size=405), ask("h100-80gb", amount=8, size=70)
    assert any("From 400B on" in warning for warning in large.answers[0].warnings)
    assert not any("From 400B on" in warning for warning in small.answers[0].warnings)


def test_what_one_gpu_holds_is_not_divided() -> None:
    one = ask("a100-80gb", amount=4, size=8).answers[0]
    assert (one.tensor_parallel, one.pipeline_parallel, one.replicas) == (1, 1, 4)
    assert any("ask nothing of the interconnect" in reason for reason in one.reasons)


def test_a_large_cache_alone_is_no_reason_to_divide() -> None:
    """Llama-2-7B has multi-head attention: 33 full sequences have room beside 4 GB of weights."""
    one = ask("a100-80gb", amount=4, size=7).answers[0]
    assert one.max_concurrency < 64
    assert (one.tensor_parallel, one.replicas) == (1, 4)


def test_latency_divides_as_long_as_there_is_something_to_divide() -> None:
    assert ask("h100-80gb", amount=8, size=70, first="latency").answers[0].tensor_parallel == 8
    assert ask("h100-80gb", amount=8, size=8, first="latency").answers[0].tensor_parallel == 1


def test_heads_that_cannot_be_divided_are_not() -> None:
    """24 heads: tensor parallelism 8 divides them, 16 would not, and NVLink joins eight."""
    for one in ask("h100-80gb", amount=16, size=3, first="latency").answers:
        assert one.tensor_parallel in (1, 2, 4, 8)


def test_more_devices_of_a_machine_without_gpus_are_not_a_group() -> None:
    assert {one.replicas for one in ask("jetson-orin-64gb", amount=2, size=8).answers} == {1}
