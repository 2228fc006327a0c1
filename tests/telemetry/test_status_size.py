"""A full host's status stays small: it goes to every console that looks."""

from __future__ import annotations

from msgspec import json

from benchmarks.agent_poll import ENGINES, STATUS_LIMIT_BYTES, engine_status
from quantdeck_agent.telemetry.gpu import Memory
from quantdeck_agent.telemetry.gpus import Gpus
from quantdeck_core.engines.metrics import EngineMetrics
from quantdeck_core.engines.reading import EngineReading
from quantdeck_core.protocol.host import HostStatus
from support.fleets import replace, sample
from support.nvml import eight_gpus


def test_eight_gpus_and_sixteen_engines_are_at_most_16_kib() -> None:
    gpus = Gpus(nvml=eight_gpus())
    ram = Memory(used=1, total=2)
    gpus.read(ram, 0.0)
    reading = EngineReading(
        metrics=EngineMetrics(running=131, waiting=12, kv_usage=0.8371234),
        tokens_per_s=3181.4,
        prompt_tokens_per_s=18113.2,
        rss_bytes=10**10,
    )
    names = [f"assistant-llama-3.1-8b-awq-{n:02d}" for n in range(ENGINES)]
    status = HostStatus(
        name="gpu-rack-07.dc2.example.net",
        agent_version="0.1.0",
        sample=replace(sample(gpu_note=""), gpus=gpus.read(ram, 1.0).gpus),
        engines=tuple(engine_status(n, name, 43_000 + n, reading) for n, name in enumerate(names)),
    )
    encoded = json.encode(status)
    assert 8_000 < len(encoded) <= STATUS_LIMIT_BYTES
    assert json.decode(encoded, type=HostStatus) == status


def test_what_is_not_known_takes_no_room() -> None:
    bare = json.encode(sample())
    assert b"null" not in bare
    assert b"temperatures" not in bare
    assert len(bare) < 300
