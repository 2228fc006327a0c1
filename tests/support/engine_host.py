"""The engines of an agent in the test's own process: real engines, and a machine that the test plays."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.hub import Hub
from quantdeck_agent.paths import Paths
from quantdeck_agent.process.identity import MARKER
from quantdeck_agent.store import Store
from quantdeck_checkpoints.hashing import sha256_of
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.host import GpuSample, HostSample
from quantdeck_core.protocol.operation import Operation, StepName
from quantdeck_core.protocol.requests import Deploy
from support.agents import short_folder
from support.waiting import eventually

GIB = 2**30


class EngineHost:
    """Engines, and what they are told of the machine.

    Attributes:
        sample: the machine's memory and GPUs, as it would be read now.
        held: GPU -> processes that hold memory on it, as the driver would say.
        draining: replicas of which an answer is still under way.
    """

    def __init__(self, folder: Path, models: Path) -> None:
        self.sample = HostSample(
            t=time.time(), cpu_percent=1, cpu_count=4, load_1m=0.1, memory_used_bytes=2 * GIB,
            memory_total_bytes=16 * GIB, disk_free_bytes=100 * GIB,
        )  # fmt: skip
        self.held: Mapping[int, frozenset[int]] = {}
        self.draining: set[str] = set()
        self.switches: list[tuple[str, ...]] = []
        self._ended = False
        self.models = models
        paths = Paths(folder / "state", folder / "run", models)
        paths.make()
        self.folder, self.owner = folder, str(paths.state.resolve())
        self.store = Store(paths.database)
        self.hub = Hub("test", "0", self.sample)
        self.engines = Engines(
            paths,
            self.store,
            self.hub,
            self.owner,
            sample=lambda: self.sample,
            holders=lambda: self.held,
            digest=lambda path: asyncio.to_thread(sha256_of, path),
            fetch=self._fetch,
            switched=self._switched,
            drained=self._drained,
            boot="this boot",
        )

    async def _fetch(self, *_: object) -> None:
        raise AssertionError("no profile of these tests names a source")

    async def _switched(self, name: str) -> None:
        self.switches.append(tuple(one.key for one in self.engines.serving(name)))

    async def _drained(self, replica: str) -> None:
        await eventually(lambda: replica not in self.draining, 30)

    def gpus(self, *free_gib: float, total_gib: float = 24) -> None:
        """Let the machine have these GPUs."""
        found = tuple(
            GpuSample(
                index=index,
                name="NVIDIA GeForce RTX 4090",
                memory_used_bytes=int((total_gib - free) * GIB),
                memory_total_bytes=int(total_gib * GIB),
                sm=89,
            )
            for index, free in enumerate(free_gib)
        )
        self.sample = msgspec.structs.replace(self.sample, gpus=found)

    def room(self, gib: float) -> None:
        """Let so much of the machine's RAM be free."""
        used = self.sample.memory_total_bytes - int(gib * GIB)
        self.sample = msgspec.structs.replace(self.sample, memory_used_bytes=used)

    async def deploy(self, profile: Profile, **how: Any) -> Operation:
        """Deploy under the name `engine` and wait for the end."""
        return await self.end(await self.begin(profile, **how))

    async def begin(self, profile: Profile, **how: Any) -> Operation:
        """Begin to."""
        ask = Deploy(request_id="r", by="test", profile=profile, name="engine", **how)
        return await self.engines.supervisor.deploy(ask)

    async def end(self, operation: Operation) -> Operation:
        """The operation once it has ended."""
        await eventually(lambda: self.engines.operations.named(operation.id).ended, 40, f"{operation.kind} ended")
        return self.engines.operations.named(operation.id)

    async def at(self, operation: Operation, step: StepName, saying: str = "") -> None:
        """Wait until an operation is at a step."""

        def there() -> bool:
            current = self.engines.operations.named(operation.id).current
            return current is not None and current.name == step and saying in current.detail

        await eventually(there, 20, f"{operation.kind} is at {step}")

    def statuses(self) -> tuple[EngineStatus, ...]:
        """Of the engine's replicas."""
        return self.hub.status().engines

    async def until(self, state: str) -> EngineStatus:
        """The engine once it is in a state."""
        await eventually(lambda: self.statuses() and self.statuses()[0].state == state, 30, f"it is {state}")
        return self.statuses()[0]

    def processes(self) -> list[psutil.Process]:
        """All that was started and runs."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARKER, "").startswith(self.owner):
                    found.append(process)
        return found

    async def _begin(self) -> None:
        await self.engines.restore()
        self._watching = asyncio.create_task(self.engines.keeper.watch())

    async def _end(self) -> None:
        """As an agent that ends: engines go on."""
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self.engines.close()
        self.store.close()

    @contextlib.asynccontextmanager
    async def next_agent(self) -> AsyncIterator[EngineHost]:
        """The agent that comes after this one, on the same state; this one is back afterwards, without its state."""
        await self._end()
        following = EngineHost(self.folder, self.models)
        following.sample, following.draining = self.sample, self.draining
        await following._begin()
        try:
            yield following
        finally:
            await following.engines.stop_all()
            await following._end()
            self._ended = True


@contextlib.asynccontextmanager
async def engine_host(models: Path) -> AsyncIterator[EngineHost]:
    """Engines that are looked after; all of them are ended afterwards."""
    with short_folder() as folder:
        host = EngineHost(folder, models)
        await host._begin()
        try:
            yield host
        finally:
            if not host._ended:
                await host.engines.stop_all()
                await host._end()
