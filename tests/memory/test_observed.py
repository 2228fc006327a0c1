"""From readings to bytes that can be held against a plan."""

from __future__ import annotations

import pytest

from quantdeck_console.device_source import load_devices
from quantdeck_core.errors import InputError
from quantdeck_core.memory.engine_log import Measured
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.load import Observed
from quantdeck_core.memory.log_version import version_in_log
from quantdeck_core.memory.need import need_of
from quantdeck_core.memory.observed import counted_in_logs, observed
from quantdeck_core.memory.serving import Need, Serving
from quantdeck_profiles import data
from support.loads import CHECKPOINT

ESTIMATES = parse_estimates(data.text("memory"))
VLLM = Serving(engine="vllm")
LLAMA = Serving(engine="llama-server")
PLANNED = Need(1000, 400, 100)


def test_vllm_fills_what_it_booked_so_the_cache_is_counted_again() -> None:
    """8000 bytes in all, of which 6000 are a pool for 30 sequences: 4 of them need 800, the rest took 2000."""
    log = Measured(weights_bytes=1100, kv_bytes=6000, max_concurrency=30.0)
    assert observed(VLLM, 4, PLANNED, PLANNED, 8000, log) == Observed(total=2800, weights=1100, kv=800)


def test_a_booked_total_alone_says_nothing() -> None:
    with pytest.raises(InputError, match="its total alone says nothing"):
        observed(VLLM, 4, PLANNED, PLANNED, 8000, None)
    with pytest.raises(InputError, match="by the log"):
        observed(VLLM, 4, PLANNED, PLANNED, 100, Measured(kv_bytes=6000, max_concurrency=30.0))


def test_llamacpp_takes_what_it_needs() -> None:
    log = Measured(weights_bytes=1100, kv_bytes=444, compute_bytes=5)
    assert observed(LLAMA, 4, PLANNED, PLANNED, 8000, log) == Observed(total=8000, weights=1100, kv=444)
    assert observed(LLAMA, 4, PLANNED, PLANNED, 8000, None) == Observed(total=8000)


def test_buffers_that_nobody_has_used_yet_are_counted() -> None:
    log = Measured(weights_bytes=1100, kv_bytes=444, compute_bytes=300, output_bytes=6)
    assert observed(LLAMA, 4, PLANNED, PLANNED, 1600, log).total == 1850


def test_one_gpus_part_of_what_llamacpp_says_of_all() -> None:
    counted = Need(2000, 800, 100)
    log = Measured(weights_bytes=2200, kv_bytes=888)
    assert observed(LLAMA, 4, PLANNED, counted, 8000, log) == Observed(total=8000, weights=1100, kv=444)


def test_what_llamacpp_counts_over_two_gpus() -> None:
    """Half of the layers on each: against the log stands the whole model."""
    l4 = load_devices(None).named("l4")
    serving = Serving(engine="llama-server", max_num_seqs=4, pipeline_parallel=2)
    one = need_of(CHECKPOINT, serving, 4, 4096, ESTIMATES, l4)
    counted = counted_in_logs(CHECKPOINT, serving, 4, ESTIMATES, l4, one)
    assert (counted.weights, counted.kv) == (CHECKPOINT.weights_bytes, 2 * one.kv)
    said = observed(serving, 4, one, counted, None, Measured(weights_bytes=counted.weights, kv_bytes=counted.kv))
    assert (said.weights, said.kv) == (one.weights, one.kv)


def test_logs_that_name_their_version() -> None:
    start = (
        "(EngineCore pid=6481) INFO 11-23 23:00:26 [core.py:133] Initializing a V1 LLM engine (v{}) with config: x\n"
    )
    assert version_in_log(start.format("0.31.0") + start.format("0.32.0+cpu")) == "0.32.0+cpu"
    assert version_in_log("0.00.001.791 I srv          init: build_info: b11549-0123abc\n") == "b11549"
    assert version_in_log("0.00.001.791 I srv          init: build_info: b0-unknown\n") is None
    assert version_in_log("") is None
