"""The metrics page, read by Prometheus' own parser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from quantdeck_agent.telemetry.exposition import Exposition
from quantdeck_agent.telemetry.gpu import Memory
from quantdeck_agent.telemetry.gpus import Gpus
from quantdeck_agent.telemetry.page import metrics_page
from quantdeck_core.engines.metrics import read_metrics
from quantdeck_core.engines.reading import EngineReading, EngineWatch
from quantdeck_core.protocol.host import HostStatus, LostGpu, Temperature
from quantdeck_core.text import clean
from support.fleets import engine, experiment, gateway, replace, sample
from support.nvml import eight_gpus

VLLM = (Path(__file__).with_name("pages") / "vllm-0.32.0.txt").read_text()
GATEWAY = gateway(rps=1.5, rungs={"a/control": 1, "a/treatment": 4})


def parsed(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All samples, and every one but once."""
    found = {}
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.type in ("gauge", "counter", "histogram")
        assert family.documentation
        for one in family.samples:
            key = (one.name, tuple(sorted(one.labels.items())))
            assert key not in found, key
            found[key] = one.value
    return found


def full() -> tuple[HostStatus, dict[str, EngineReading]]:
    watch = EngineWatch()
    watch.add(0.0, read_metrics("vllm", VLLM), 77)
    reading = watch.add(1.0, read_metrics("vllm", VLLM), 77)
    gpus = Gpus(nvml=eight_gpus()).read(Memory(used=1, total=2), 0.0).gpus
    status = HostStatus(
        name='gpu "1"\\\n',
        agent_version="0.1.0",
        sample=sample(
            gpus=gpus[:7],
            lost_gpus=(LostGpu(index=7, name="NVIDIA H100", note="GPU is lost", uuid="GPU-7"),),
            temperatures=(Temperature(name="coretemp", c=61.5),),
            memory_full_percent=3.0,
            models_disk_free_bytes=5,
            throttled=(),
        ),
        engines=(engine("control", engine="vllm"), engine("other", state="failed")),
        gateway=GATEWAY,
        experiments=(experiment(),),
    )
    return status, {"control": reading}


def test_everything_is_there() -> None:
    page = metrics_page(*full())
    values = parsed(page)
    assert values["quantdeck_agent_info", (("host", 'gpu "1"\\ '), ("version", "0.1.0"))] == 1
    gpu = (("gpu", "3"), ("uuid", "GPU-8f3a2c1e-0b4d-4c6e-9a7f-1d2e3f4a5b03"))
    assert values["quantdeck_gpu_temperature_celsius", gpu] == 64
    assert values["quantdeck_gpu_power_watts", gpu] == 612.3
    assert values["quantdeck_gpu_sm_frequency_hertz", gpu] == 1755e6
    assert values["quantdeck_gpu_up", gpu] == 1
    assert values["quantdeck_gpu_up", (("gpu", "7"), ("uuid", "GPU-7"))] == 0
    assert values["quantdeck_host_memory_pressure_ratio", (("kind", "full"),)] == pytest.approx(0.03)
    assert values["quantdeck_host_temperature_celsius", (("sensor", "coretemp"),)] == 61.5
    control = (("engine", "control"),)
    assert values["quantdeck_engine_generated_tokens_total", control] == 6385
    assert values["quantdeck_engine_kv_cache_usage_ratio", control] == 0
    assert values["quantdeck_engine_ttft_seconds_count", control] == 18
    assert values["quantdeck_engine_ttft_seconds_sum", control] == pytest.approx(0.19162654876708984)
    assert values["quantdeck_engine_ttft_seconds_bucket", (*control, ("le", "0.01"))] == 15
    assert values["quantdeck_engine_ttft_seconds_bucket", (*control, ("le", "+Inf"))] == 18
    assert values["quantdeck_engine_requests_finished_total", (*control, ("reason", "length"))] == 17
    assert values["quantdeck_engine_ready", (("engine", "other"),)] == 0
    assert values["quantdeck_agent_gateway_requests_per_second", ()] == 1.5
    assert values["quantdeck_agent_gateway_overload_rung", ()] == 4
    assert any(name == "quantdeck_experiment_stage" for name, _ in values)
    assert any(name == "quantdeck_experiment_weight_ratio" for name, _ in values)


def test_names_are_ours_with_units_and_every_family_has_a_head() -> None:
    page = metrics_page(*full())
    for line in page.splitlines():
        assert re.match(r"(# (HELP|TYPE) )?quantdeck_[a-z0-9_]+[{ ]", line), line
    assert page.endswith("\n")
    assert page.count("# HELP quantdeck_gpu_temperature_celsius ") == 1


def test_what_is_missing_has_no_line() -> None:
    status, _ = full()
    bare = replace(
        status, sample=sample(), gateway=replace(GATEWAY, running=False), experiments=(), engines=(engine("control"),)
    )
    values = parsed(metrics_page(bare, {}))
    names = {name for name, _ in values}
    assert "quantdeck_host_swap_used_bytes" not in names
    assert "quantdeck_engine_requests_running" not in names
    assert "quantdeck_engine_memory_resident_bytes" not in names
    assert not any(name.startswith(("quantdeck_gpu", "quantdeck_engine_ttft")) for name in names)
    assert values["quantdeck_agent_gateway_up", ()] == 0
    assert "quantdeck_agent_gateway_in_flight" not in names
    assert "quantdeck_host_throttled" not in names


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats())
def test_any_label_and_any_number(label: str, value: float) -> None:
    page = Exposition("quantdeck_")
    page.add("x_total", "counter", "Text.", value, {"label": label})
    text = page.text()
    if value != value or value in (float("inf"), float("-inf")):
        assert text == ""
    # The parser takes the page apart with splitlines, which knows more line ends than the format has.
    elif len((label := clean(label, one_line=True)).splitlines()) <= 1 and label.strip() == label:
        assert parsed(text) == {("quantdeck_x_total", (("label", label),)): value}
