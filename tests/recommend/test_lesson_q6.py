"""The lesson's sixth question: a GPTQ model that is good on average and bad at long inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from support.llamas import LLAMA_3_8B, llama_folder
from support.recommendations import GIB, ask, of, titles


@pytest.fixture
def gptq(tmp_path: Path) -> Checkpoint:
    return detect(LocalSource(llama_folder(tmp_path / "model", LLAMA_3_8B, "gptq")))


def test_the_cause_both_fixes_and_the_benchmark(gptq: Checkpoint) -> None:
    said = ask("a100-80gb", model=gptq, context=8192)
    own = next(answer for answer in said.answers if answer.own)
    assert (own.title, own.make) == (gptq.label, ())
    assert own.weights_bytes == gptq.weights_bytes
    text = " ".join(own.warnings)
    for words in ("key and value", "q, k and v projections in 16 bits", "AWQ, 64", "Q5_K_M", "into the benchmark"):
        assert words in text


def test_what_mends_it_comes_before_it(gptq: Checkpoint) -> None:
    order = titles(ask("a100-80gb", model=gptq, context=8192))
    assert order[:2] == ["AWQ 4-bit g64", "W4A16 + 16-bit q/k/v"]
    assert order.index(gptq.label) > 1
    assert titles(ask("a100-80gb", model=gptq))[1] == gptq.label


def test_projections_in_16_bits_are_kept_together(gptq: Checkpoint) -> None:
    """vLLM refuses k and v alone: it keeps q, k and v as one matrix."""
    one = of(ask("a100-80gb", model=gptq, context=8192), "W4A16")
    assert "(q|k|v)_proj" in one.make[0]
    plain = of(ask("a100-80gb", model=gptq, context=8192), "AWQ 4-bit g128")
    projections = LLAMA_3_8B.layers * LLAMA_3_8B.hidden * (32 + 2 * 8) * 128
    assert one.weights_bytes - plain.weights_bytes == pytest.approx(projections * (16 - 4.156) / 8, rel=0.01)


def test_long_is_above_2000_tokens(gptq: Checkpoint) -> None:
    assert "W4A16 + 16-bit q/k/v" not in titles(ask("a100-80gb", model=gptq, context=2000))
    assert "W4A16 + 16-bit q/k/v" in titles(ask("a100-80gb", model=gptq, context=2001))
    short = next(answer for answer in ask("a100-80gb", model=gptq).answers if answer.own)
    assert not any("2,000 tokens" in warning for warning in short.warnings)


@pytest.mark.parametrize("first", ["balance", "throughput", "quality", "latency"])
def test_q5_k_m_before_q4_on_llamacpp(first: str) -> None:
    order = titles(ask("cpu", ram=32 * GIB, size=8, context=8192, first=first))
    assert order.index("GGUF Q5_K_M") < order.index("GGUF Q4_K_M")
    assert any("fifth bit" in r for r in of(ask("cpu", ram=32 * GIB, size=8, context=8192), "GGUF Q5").reasons)


def test_where_memory_comes_first_it_stays_at_four_bits() -> None:
    assert titles(ask("a100-80gb", size=8, context=8192, first="memory"))[:2] == [
        "AWQ 4-bit g64",
        "W4A16 + 16-bit q/k/v",
    ]
    assert titles(ask("a100-80gb", size=8, first="memory"))[:2] == ["AWQ 4-bit g128", "GPTQ 4-bit g128"]


def test_eight_bits_need_no_remedy() -> None:
    for title in ("FP8", "BF16"):
        assert not any("long inputs" in w for w in of(ask("h100-80gb", size=8, context=8192), title).warnings)


def test_a_quantized_checkpoint_is_no_source_for_others(gptq: Checkpoint) -> None:
    assert any("does not come back" in note for note in ask("a100-80gb", model=gptq).notes)
    assert not any("does not come back" in note for note in ask("a100-80gb", size=8).notes)
