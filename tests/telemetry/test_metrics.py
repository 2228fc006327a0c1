"""Engines' pages in one vocabulary. `pages/vllm-0.32.0.txt` is a page of the real vLLM 0.32.0 (CPU build)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.engines.metrics import EngineMetrics, Rate, read_metrics
from quantdeck_core.profile.names import EngineKind

PAGES = Path(__file__).with_name("pages")
VLLM = (PAGES / "vllm-0.32.0.txt").read_text()
LLAMACPP = (PAGES / "llamacpp.txt").read_text()


def test_a_real_page_of_vllm() -> None:
    metrics = read_metrics("vllm", VLLM)
    assert (metrics.running, metrics.waiting, metrics.kv_usage, metrics.preemptions) == (0, 0, 0.0, 0.0)
    assert (metrics.prompt_tokens, metrics.generated_tokens) == (72.0, 6385.0)
    assert metrics.finished == {"stop": 1.0, "length": 17.0, "abort": 0.0, "error": 0.0, "repetition": 0.0}
    assert metrics.ttft is not None
    assert metrics.ttft.bounds[:3] == (0.001, 0.005, 0.01)
    assert metrics.ttft.counts[:5] == (0.0, 0.0, 15.0, 16.0, 18.0)
    assert (metrics.ttft.bounds[-1], metrics.ttft.total) == (math.inf, 18.0)
    assert metrics.ttft.sum == pytest.approx(0.1916, abs=1e-4)
    for histogram in (metrics.itl, metrics.e2e, metrics.queue):
        assert histogram is not None
        assert histogram.total > 0
    assert metrics.itl is not None
    assert metrics.itl.total == 6385 - 18  # the first token of each request is no step between two


def test_a_page_of_llamacpp_has_no_latencies() -> None:
    for engine in ("llama-server", "xllamacpp"):
        metrics = read_metrics(engine, LLAMACPP)
        assert metrics == EngineMetrics(running=2, waiting=1, prompt_tokens=321.0, generated_tokens=1234.0)


@pytest.mark.parametrize(("page", "generated"), [(VLLM, 6385.0), (LLAMACPP, 1234.0), ("<html>", None)])
def test_a_server_of_somebody_else_is_known_by_its_page(page: str, generated: float | None) -> None:
    assert read_metrics("external", page).generated_tokens == generated


def core(engine: int, running: object = 1, usage: object = 0.5, ttft: object = 3) -> str:
    labels = f'engine="{engine}",model_name="a, b=\\"c\\" {{d}}"'
    return (
        f"vllm:num_requests_running{{{labels}}} {running}\n"
        f"vllm:kv_cache_usage_perc{{{labels}}} {usage}\n"
        f'vllm:time_to_first_token_seconds_bucket{{engine="{engine}",le="0.1",{labels}}} {ttft}\n'
        f'vllm:time_to_first_token_seconds_bucket{{engine="{engine}",le="+Inf",{labels}}} 4\n'
    )


def test_several_cores_are_one_engine() -> None:
    metrics = read_metrics("vllm", core(0, 2, 0.25) + core(1, 3, 0.75))
    assert (metrics.running, metrics.kv_usage) == (5, 0.75)
    assert metrics.ttft is not None
    assert metrics.ttft.counts == (6.0, 8.0)


@pytest.mark.parametrize("broken", ["NaN", "+Inf", "-1", "many", ""])
def test_what_is_no_number_makes_its_field_missing_not_smaller(broken: str) -> None:
    metrics = read_metrics("vllm", core(0, broken, broken, broken) + core(1))
    assert (metrics.running, metrics.kv_usage, metrics.ttft) == (None, None, None)
    assert read_metrics("vllm", core(0, broken) + core(1)).kv_usage == 0.5


def test_older_names_timestamps_and_created_lines() -> None:
    metrics = read_metrics(
        "vllm",
        'vllm:gpu_cache_usage_perc{engine="0"} 0.125 1795540000000\n'
        "vllm:prompt_tokens_total 5 1795540000000\n"
        'vllm:prompt_tokens_created{engine="0"} 1.79e+09\n',
    )
    assert (metrics.kv_usage, metrics.prompt_tokens) == (0.125, 5.0)


def test_buckets_that_are_none() -> None:
    bucket = 'vllm:time_to_first_token_seconds_bucket{{le="{}"}} {}\n'
    assert read_metrics("vllm", bucket.format("0.1", 3)).ttft is None  # no +Inf
    assert read_metrics("vllm", bucket.format("0.1", 3) + bucket.format("+Inf", 2)).ttft is None  # falls
    assert read_metrics("vllm", bucket.format("much", 3) + bucket.format("+Inf", 3)).ttft is None
    assert read_metrics("vllm", "vllm:kv_cache_usage_perc 37\n").kv_usage is None


@given(st.text(), st.sampled_from(["vllm", "llama-server", "external"]))
def test_garbage_is_no_error(text: str, engine: EngineKind) -> None:
    assert read_metrics(engine, text) == EngineMetrics()


@given(st.integers(0, len(VLLM)), st.text(max_size=40))
def test_a_real_page_with_garbage_in_it_is_no_error(at: int, text: str) -> None:
    metrics = read_metrics("vllm", VLLM[:at] + text + VLLM[at:])
    for value in (metrics.kv_usage, metrics.prompt_tokens, metrics.generated_tokens):
        assert value is None or math.isfinite(value)


def test_a_rate_is_the_rise_of_a_total() -> None:
    rate = Rate(span_s=3.0)
    assert rate.add(0.0, 100.0) is None
    assert rate.add(1.0, 150.0) == pytest.approx(50.0)
    assert rate.add(2.0, 150.0) == pytest.approx(25.0)


def test_a_rate_starts_again_after_a_gap_or_a_restart() -> None:
    rate = Rate()
    rate.add(0.0, 100.0)
    rate.add(1.0, 200.0)
    assert rate.add(2.0, None) is None
    assert rate.add(3.0, 300.0) is None
    assert rate.add(4.0, 10.0) is None
    assert rate.add(5.0, 20.0) == pytest.approx(10.0)
