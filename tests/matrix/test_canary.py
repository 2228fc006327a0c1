"""Canaries across real engines: one checkpoint is one model on all of them, and a damaged one is found on each."""

from __future__ import annotations

from pathlib import Path
from random import Random

import httpx
import msgspec
import pytest

from matrix.test_matrix import gguf, vllm
from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_core.canary.report import CanaryReport
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.canary import MeasureLatency, RunCanary
from quantdeck_core.protocol.requests import CreateExperiment
from support.deck import Deck, deck

pytestmark = pytest.mark.timeout(900)
PROMPTS = ("their boat, our ferry, our", "The keeper trims the great lamp before dusk.", "The ferry crosses the bay.")


async def compared(models: Path, control: Profile, treatment: Profile, prompts: tuple[str, ...]) -> CanaryReport:
    """Deploy both on a host of their own, put them side by side, and run a canary and a latency profile."""
    async with deck(models) as host:
        return await _compared(host, control, treatment, prompts)


async def _compared(host: Deck, control: Profile, treatment: Profile, prompts: tuple[str, ...]) -> CanaryReport:
    for arm, profile in (("control", control), ("treatment", treatment)):
        await host.deploy(msgspec.structs.replace(profile, served_name="assistant"), arm)
    settings = CanarySettings(prompts=prompts, every="1d")
    wish = CreateExperiment(
        request_id=host.next_id(), name="e", control="control", treatment="treatment", canary=settings
    )
    await host.client.create_experiment(wish)
    client = CanaryClient("test", httpx.AsyncHTTPTransport(uds=str(host.agent.socket())))
    try:
        report = (await client.run_canary("e", RunCanary(request_id=host.next_id()))).report
        latency = await client.measure_latency("e", MeasureLatency(request_id=host.next_id()))
    finally:
        await client.close()
    assert report
    assert latency.treatment
    assert latency.treatment.complete
    print(f"\n{control.engine} and {treatment.engine}: {report.reason} {report.note}")
    return report


@pytest.mark.parametrize("engine", ["xllamacpp", "llama-server"])
async def test_llama_cpp(demo_models: Path, engine: str) -> None:
    same = await compared(demo_models, gguf("xllamacpp"), gguf(engine), PROMPTS)
    assert same.outcome == "passed", same.reason
    assert same.apart
    assert same.apart.mean_kl is not None
    assert same.apart.mean_kl < 0.001
    damaged = await compared(demo_models, gguf("xllamacpp"), gguf(engine, "demo-damaged.gguf"), PROMPTS)
    assert (damaged.outcome, damaged.suspect) == ("failed", "treatment")


async def test_llama_cpp_python_gives_no_log_probabilities_and_that_is_said(demo_models: Path) -> None:
    """Not as it is started here: `logits_all` would keep the logits of every token of the context in memory."""
    report = await compared(demo_models, gguf("xllamacpp"), gguf("llama-cpp-python"), PROMPTS)
    assert report.outcome == "passed", report.reason
    assert "logprobs is not supported for models created with logits_all=False" in report.note


async def test_vllm(vllm_models: Path) -> None:
    random = Random(3)
    prompts = tuple(" ".join(f"w{random.randrange(253)}" for _ in range(12)) for _ in range(16))
    report = await compared(vllm_models, vllm("tiny-bf16"), vllm("tiny-gptq"), prompts)
    assert report.outcome == "passed", report.reason
    assert report.control
    assert report.treatment
    assert report.control.perplexity
    assert report.treatment.perplexity == pytest.approx(report.control.perplexity, rel=0.2)
