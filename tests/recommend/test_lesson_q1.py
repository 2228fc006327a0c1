"""The lesson's first question: 70B on four A100s with 80 GB each, in 16, 8 and 4 bits."""

from __future__ import annotations

import pytest

from quantdeck_core.recommend.answer import Recommendation
from support.recommendations import ask, of, titles

GB = 10**9


@pytest.fixture(scope="module")
def said() -> Recommendation:
    return ask("a100-80gb", amount=4, size=70, first="throughput")


@pytest.mark.parametrize(
    ("title", "counted", "gpus", "per_gpu", "off"),
    [("BF16", 140, 4, 35, 0.001), ("INT8", 70, 4, 17.5, 0.01), ("GPTQ", 35, 2, 17.5, 0.07), ("AWQ", 35, 2, 17.5, 0.07)],
)
def test_memory(said: Recommendation, title: str, counted: int, gpus: int, per_gpu: float, off: float) -> None:
    """140, 70 and 35 GB; 35 and 17.5 a GPU at TP=4, 17.5 at TP=2. Scales and 16-bit embeddings come on top."""
    one = of(said, title)
    assert one.weights_bytes_nominal == counted * GB
    assert (one.tensor_parallel, one.pipeline_parallel) == (gpus, 1)
    assert one.weights_bytes_per_gpu / GB == pytest.approx(per_gpu, rel=off)
    assert one.weights_bytes_per_gpu <= one.total_bytes_per_gpu <= 0.9 * 81_920 * 2**20


def test_int4_at_tp_4() -> None:
    """8.75 GB a GPU, where latency is what counts."""
    one = of(ask("a100-80gb", amount=4, size=70, first="latency"), "GPTQ")
    assert (one.tensor_parallel, one.replicas) == (4, 1)
    assert one.weights_bytes_per_gpu / GB == pytest.approx(8.75, rel=0.07)


def test_two_replicas_in_int4_come_first(said: Recommendation) -> None:
    first = said.answers[0]
    assert (first.bits, first.engine, first.tensor_parallel, first.replicas) == (4, "vllm", 2, 2)
    assert any("2 replicas of TP=2 where BF16 makes 1 of TP=4: roughly 2 times" in reason for reason in first.reasons)
    assert first.quality.perplexity == (0.3, 0.8)


def test_int4_before_int8_before_bf16(said: Recommendation) -> None:
    order = titles(said)
    assert order[:2] == ["GPTQ 4-bit g128", "AWQ 4-bit g128"]
    assert order.index("AWQ 4-bit g128") < order.index("INT8 W8A8") < order.index("BF16")


def test_int4_is_first_whatever_comes_first_but_quality() -> None:
    for first in ("balance", "throughput", "memory", "latency"):
        assert ask("a100-80gb", amount=4, size=70, first=first).answers[0].bits == 4
    assert ask("a100-80gb", amount=4, size=70, first="quality").answers[0].scheme == "w8a8-int8"


def test_tp_4_pays_for_its_all_reduces(said: Recommendation) -> None:
    for title in ("BF16", "INT8"):
        assert any("20 to 25 %" in warning for warning in of(said, title).warnings)
    assert not any("20 to 25 %" in warning for warning in said.answers[0].warnings)


def test_all_of_them_have_comfortable_room_at_a_batch_of_64(said: Recommendation) -> None:
    for title in ("GPTQ", "INT8", "BF16"):
        assert of(said, title).max_concurrency >= 64


def test_int8_is_not_the_lessons(said: Recommendation) -> None:
    """LLM.int8() is for development; what vLLM serves is W8A8 in compressed-tensors."""
    one = of(said, "INT8")
    assert (one.format, one.quality.perplexity) == ("compressed-tensors", (0.0, 0.1))
    assert any("Moderately faster" in reason for reason in one.reasons)
    assert any("Not LLM.int8()" in warning for warning in one.warnings)
