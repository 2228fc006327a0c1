"""Deploy, probe, scrape, hang, kill, adopt, replace, stop: with each engine as people have it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from matrix.conftest import program
from matrix.course import Course
from quantdeck_core.profile.schema import Profile, Warmup
from quantdeck_core.profile.serve import Serve
from quantdeck_core.protocol.engine import EngineStatus
from support.deck import Deck, changed, deck
from support.processes import session
from support.traffic import traffic

pytestmark = pytest.mark.timeout(900)


def gguf(engine: str, model: str = "demo-f16.gguf") -> Profile:
    """One of the demo's checkpoints on one of llama.cpp's servers."""
    if engine == "xllamacpp":
        return changed(model=model)
    if engine == "llama-server":
        return changed(model=model, engine=engine, executable=program("QUANTDECK_LLAMA_SERVER"))
    return Profile(
        name="python",
        model=model,
        engine="llama-cpp-python",
        executable=program("QUANTDECK_LLAMA_CPP_PYTHON"),
        serve=Serve(max_model_len=1024, threads=1, n_gpu_layers=0),
    )


def vllm(model: str) -> Profile:
    """A tiny model on vLLM without a GPU."""
    serve = Serve(
        max_model_len=512, max_num_seqs=4, max_num_batched_tokens=512, kv_cache_gib=1, enforce_eager=True, threads=1,
        shutdown_timeout=5,
    )  # fmt: skip
    executable = program("QUANTDECK_VLLM")
    return Profile(
        name=model, model=model, engine="vllm-cpu", executable=executable, serve=serve, warmup=Warmup(deadline_s=300)
    )


async def scraped(host: Deck, engine: EngineStatus) -> None:
    """Its counters arrive where it has any, and are missing where it has none."""
    if engine.engine == "llama-cpp-python":
        assert (engine.running, engine.waiting, engine.tokens_per_s) == (None, None, None)
        return
    async with traffic(f"{host.gateway}", users=2) as users:
        await users.more(5)
        busy = await host.when(lambda status: any(one.tokens_per_s for one in status.engines if one.name == "engine"))
        assert not users.failures
    seen = next(one for one in busy.engines if one.name == "engine")
    assert seen.waiting is not None
    if engine.engine == "vllm-cpu":  # llama.cpp tells neither
        assert seen.kv_usage is not None
        assert seen.ttft_p95_ms
    await host.when(lambda status: next(one for one in status.engines if one.name == "engine").running == 0)


async def beside(host: Deck) -> None:
    """A control to fall back on, and everybody on the engine that is looked at."""
    await host.deploy(changed(), "spare")
    await host.experiment("spare", "engine", 10_000)


@pytest.mark.parametrize("kind", ["xllamacpp", "llama-server", "llama-cpp-python"])
async def test_llamacpp(demo_models: Path, kind: str) -> None:
    profile = gguf(kind)
    async with deck(demo_models) as host:
        course = Course(host, kind)
        with course.timed("deployed"):
            engine = await host.deploy(profile)
        await course.check_ready(engine, profile.warmup.prompts)
        await beside(host)
        await scraped(host, engine)
        if kind == "llama-cpp-python":  # the others' counters prove that they live
            await course.check_probed(engine)
        await course.check_adopted(engine)
        assert engine.pid
        await course.check_hang(engine, session(engine.pid), "all of it stopped")
        async with traffic(host.gateway, users=2) as users:
            with course.timed("replaced under load"):
                new = await host.deploy(gguf(kind, "demo-q8_0.gguf"), replace=True)
                await users.more(3)
            assert not users.failures
        assert (new.generation, new.model) == (2, "demo-q8_0.gguf")
        new = await course.check_killed(new, 60)
        await course.check_stopped(new)
        course.report()


async def test_external(demo_models: Path) -> None:
    """Somebody else's server: here an engine of another agent."""
    async with deck(demo_models, gateway=False) as other, deck(demo_models) as host:
        theirs = await other.deploy(changed())
        profile = Profile(name="external", model="demo-f16", engine="external", url=theirs.url)
        course = Course(host, "external")
        with course.timed("deployed"):
            engine = await host.deploy(profile)
        assert (engine.state, engine.pid) == ("ready", None)
        operation = (await host.client.operations()).operations[-1]
        assert [step.name for step in operation.steps] == ["health", "token", "warm-up", "route"]
        assert await course.generated(engine) >= 4 + 4  # of both agents' first tokens and warm-ups
        await beside(host)
        await scraped(host, engine)
        host.agent.kill()
        await host.agent.start()
        await host.until("ready")
        assert theirs.pid
        await course.check_hang(engine, session(theirs.pid), "all of it stopped")
        with course.timed("stopped"):
            await host.stop()
        assert psutil.pid_exists(theirs.pid), "what somebody else runs is not ended"
        course.report()


async def test_vllm(vllm_models: Path, demo_models: Path) -> None:
    for model in demo_models.glob("*.gguf"):
        if not (vllm_models / model.name).exists():
            os.link(model, vllm_models / model.name)
    async with deck(vllm_models) as host:
        course = Course(host, "vLLM")
        with course.timed("BF16 deployed"):
            engine = await host.deploy(vllm("tiny-bf16"))
        await course.check_ready(engine, 3)
        await beside(host)
        await scraped(host, engine)
        await course.check_adopted(engine)
        await course.check_probed(engine)
        assert engine.pid
        await course.check_hang(engine, session(engine.pid), "all of it stopped")
        core = [one for one in session(engine.pid) if "EngineCore" in one.name() or "EngineCore" in str(one.cmdline())]
        await course.check_hang(engine, core, "EngineCore stopped")
        async with traffic(host.gateway, users=2) as users:
            with course.timed("replaced by GPTQ 4-bit under load"):
                new = await host.deploy(vllm("tiny-gptq"), replace=True)
                await users.more(3)
            assert not users.failures
        assert (new.generation, new.model) == (2, "tiny-gptq")
        assert not session(engine.pid)
        assert len(session(new.pid or 0)) >= 2
        new = await course.check_killed(new, 180)
        await course.check_stopped(new)
        course.report()
