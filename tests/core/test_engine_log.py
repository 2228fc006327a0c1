"""Engines' own words: `logs/` holds lines of real loads, shortened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_core.memory.engine_log import GIB, MIB, Measured, read_engine_log

LOGS = {path.stem: path.read_text() for path in (Path(__file__).parent / "logs").glob("*.txt")}
VLLM_ON_A_GPU = """
(EngineCore pid=7) INFO 11-23 23:02:23 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='m'
(EngineCore pid=7) INFO 11-23 23:02:31 [gpu_model_runner.py:5150] Model loading took 14.99 GiB memory and 2.1 seconds
(EngineCore pid=7) INFO 11-23 23:02:41 [gpu_worker.py:760] Available KV cache memory: 51.2 GiB
(EngineCore pid=7) INFO 11-23 23:02:41 [kv_cache_utils.py:2327] GPU KV cache size: 419,424 tokens, Maximum concurrency \
for 4,096 tokens per request: 102.40x
"""
"""Written after the format strings of vLLM 0.32.0; not from a run."""


def test_llamacpp_with_repacked_weights() -> None:
    assert read_engine_log(LOGS["llamacpp_repacked"]) == Measured(
        weights_bytes=round(1132.12 * MIB) + 864 * MIB,
        repacked_bytes=864 * MIB,
        kv_bytes=512 * MIB,
        compute_bytes=round(82.02 * MIB),
        output_bytes=round(0.98 * MIB),
        kv_tokens=8192,
        max_concurrency=2.0,
    )


def test_llamacpp_with_windows_has_two_caches() -> None:
    found = read_engine_log(LOGS["llamacpp_windows"])
    assert (found.kv_bytes, found.repacked_bytes, found.kv_tokens) == ((256 + 120) * MIB, 0, 32_768)


def test_the_last_load_of_a_log_counts() -> None:
    both = LOGS["llamacpp_repacked"] + LOGS["llamacpp_windows"]
    assert read_engine_log(both) == read_engine_log(LOGS["llamacpp_windows"])


def test_vllm_on_a_cpu() -> None:
    assert read_engine_log(LOGS["vllm_windows"]) == Measured(
        kv_bytes=round(0.28 * GIB), kv_tokens=85_196, max_concurrency=20.8
    )


def test_vllm_on_a_gpu() -> None:
    assert read_engine_log(VLLM_ON_A_GPU) == Measured(
        weights_bytes=round(14.99 * GIB), kv_bytes=round(51.2 * GIB), kv_tokens=419_424, max_concurrency=102.4
    )


def test_a_log_that_ends_early_says_what_it_has() -> None:
    found = read_engine_log(LOGS["llamacpp_repacked"].partition("llama_context")[0])
    assert found.weights_bytes is not None
    assert (found.kv_bytes, found.compute_bytes, found.kv_tokens) == (None, None, None)


@pytest.mark.parametrize("text", ["", "\0", "KV cache size: tokens", "CPU KV buffer size = 1..2 MiB"])
def test_other_text_says_nothing(text: str) -> None:
    assert read_engine_log(text) == Measured()


PIECES = ("CPU KV buffer size = ", " MiB\n", "GPU KV cache size: ", " tokens", "llama_context: n_ctx = ", ",", ".", "9")


@settings(max_examples=50)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_no_text_breaks_it(pieces: list[str]) -> None:
    read_engine_log("".join(pieces))
