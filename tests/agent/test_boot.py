"""After the machine was started again: what was wanted, which is the last that was good, serves without anybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.engines.prepare import freed_on
from quantdeck_agent.hub import Hub
from quantdeck_agent.paths import Paths
from quantdeck_agent.store import Store
from quantdeck_agent.telemetry.sampler import Sampler
from quantdeck_checkpoints.hashing import sha256_of
from quantdeck_console.profile_source import load_profile
from quantdeck_core.profile.schema import Warmup
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.requests import Deploy
from support.agents import short_folder
from support.waiting import eventually


@asynccontextmanager
async def engines_of(paths: Paths, boot: str) -> AsyncIterator[tuple[Engines, Hub]]:
    """The engines of an agent, as one that starts on this state finds them."""
    paths.make()
    sampler, store = Sampler(paths.state), Store(paths.database)
    hub = Hub("test", "0", sampler.last)

    async def nothing(_: str) -> None:
        return

    async def never(*_: object) -> None:
        raise AssertionError

    engines = Engines(
        paths,
        store,
        hub,
        str(paths.state),
        sample=lambda: sampler.last,
        holders=dict,
        digest=lambda path: asyncio.to_thread(sha256_of, path),
        fetch=never,
        switched=nothing,
        drained=nothing,
        boot=boot,
    )
    await engines.restore()
    watching = asyncio.create_task(engines.keeper.watch())
    try:
        yield engines, hub
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await engines.close()
        store.close()


async def test_a_deployment_that_the_power_cut_short_is_finished(demo_models: Path) -> None:
    with short_folder() as folder:
        paths = Paths(state=folder / "state", runtime=folder / "run", models=demo_models)
        async with engines_of(paths, "first boot") as (engines, _):
            slow = msgspec.structs.replace(load_profile("demo-q8"), warmup=Warmup(prompts=100))
            operation = await engines.supervisor.deploy(Deploy(request_id="1", profile=slow, name="engine"))
            (instance,) = await eventually(lambda: engines._roster.group("engine").coming, what="begun")
            await eventually(lambda: instance.record.identity, what="started")
            await engines.close()
            await instance.end_processes(0)

        async with engines_of(paths, "second boot") as (engines, hub):
            await eventually(lambda: ready(hub), what="ready")
            assert engines.operations.named(operation.id).state == "done"
            await engines.stop_all()


def test_what_comes_free_is_counted_on_each_gpu() -> None:
    held = (((0,), 30), ((1,), 20), ((0, 1), 5), ((), 7))
    assert [freed_on(gpus, held) for gpus in ((0,), (1,), (0, 1), (2,), ())] == [35, 25, 25, 0, 7]


def ready(hub: Hub) -> list[EngineStatus]:
    return [engine for engine in hub.status().engines if engine.state == "ready"]


async def test_what_was_wanted_starts_again_and_nobody_is_alarmed(demo_models: Path) -> None:
    with short_folder() as folder:
        paths = Paths(state=folder / "state", runtime=folder / "run", models=demo_models)
        async with engines_of(paths, "first boot") as (engines, hub):
            good = Deploy(request_id="1", profile=load_profile("demo-q8"), name="engine")
            await engines.supervisor.deploy(good)
            await eventually(lambda: ready(hub), what="ready")
            broken = msgspec.structs.replace(good.profile, name="broken", served_name="x" * 200)
            (demo_models / "cut.gguf").write_bytes((demo_models / "demo-q8_0.gguf").read_bytes()[:90_000])
            broken = msgspec.structs.replace(broken, model="cut.gguf")
            operation = await engines.supervisor.deploy(
                Deploy(request_id="2", profile=broken, name="engine", replace=True)
            )
            await eventually(lambda: engines.operations.named(operation.id).ended, what="the replacement failed")
            (before,) = ready(hub)
            for group in engines._roster.groups():  # the power goes
                for instance in group.instances():
                    await instance.end_processes(0)
                    group.active.remove(instance)

        async with engines_of(paths, "second boot") as (engines, hub):
            (after,) = await eventually(lambda: ready(hub), what="ready again")
            assert (after.profile, after.model) == ("demo-q8", "demo-q8_0.gguf")
            assert after.pid != before.pid
            assert not hub.status().alarms
            texts = [entry.text for entry in engines.detail("engine").timeline]
            assert any("the machine was started again" in text for text in texts)
            await engines.stop_all()
