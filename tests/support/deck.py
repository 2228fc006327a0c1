"""A host with a gateway and engines, as people use it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import follow, wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.gateway import GatewayStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import (
    Applied,
    Cancel,
    ChangeWeight,
    ClearLatch,
    CreateExperiment,
    Deploy,
    Restart,
    Rollback,
    Scale,
    Stop,
)
from support.agents import AgentProcess, agent, status_when


def changed(name: str = "demo-f16", **changes: Any) -> Profile:
    """A profile of the demo; `serve` fields by their names with `serve_` before."""
    profile = load_profile(name)
    fields = {key.removeprefix("serve_"): changes.pop(key) for key in list(changes) if key.startswith("serve_")}
    serve = msgspec.structs.replace(profile.serve, **fields)
    return msgspec.structs.replace(profile, serve=serve, **changes)


@dataclass
class Deck:
    """An agent, and a person who asks it."""

    agent: AgentProcess
    client: AgentClient
    asked: int = 0

    @property
    def gateway(self) -> str:
        """Where users send their requests."""
        return f"http://{msgspec.json.decode(self.agent.ready_file.read_bytes())['gateway']}"

    async def gateway_status(self) -> GatewayStatus:
        """What the gateway itself says, past the agent."""
        control = GatewayControl(self.agent.folder / "run" / "gateway.sock")
        try:
            return await control.status()
        finally:
            control.close()

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """Its agent hangs; engines and gateway go on."""
        assert self.agent.process
        self.agent.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.agent.process.send_signal(signal.SIGCONT)

    def next_id(self) -> str:
        """For a request that was never sent before."""
        self.asked += 1
        return f"request-{self.asked}"

    async def begin(self, profile: Profile, name: str = "engine", **how: Any) -> Applied:
        """Ask for a deployment; do not wait for it."""
        return await self.client.deploy(Deploy(request_id=self.next_id(), by="test", profile=profile, name=name, **how))

    async def deploy(self, profile: Profile, name: str = "engine", **how: Any) -> EngineStatus:
        """Deploy and wait until it is ready."""
        return await wait_until_ready(self.client, name, (await self.begin(profile, name, **how)).operation)

    async def scale(self, replicas: int, name: str = "engine") -> Operation:
        """Change the number of replicas, to the end."""
        ask = Scale(request_id=self.next_id(), by="test", replicas=replicas)
        return await follow(self.client, (await self.client.scale(name, ask)).operation)

    async def restart(self, name: str = "engine", **how: Any) -> Operation:
        """Start its processes anew, to the end."""
        ask = Restart(request_id=self.next_id(), by="test", **how)
        return await follow(self.client, (await self.client.restart(name, ask)).operation)

    async def stop(self, name: str = "engine") -> Operation:
        """Stop it, to the end."""
        ask = Stop(request_id=self.next_id(), by="test")
        return await follow(self.client, (await self.client.stop(name, ask)).operation)

    async def cancel(self, operation: str) -> Operation:
        """Cancel an operation."""
        await self.client.cancel(operation, Cancel(request_id=self.next_id(), by="test"))
        return await self.client.operation(operation)

    async def experiment(self, control: str, treatment: str, weight_bp: int = 0) -> None:
        """Put two engines side by side as experiment `e`."""
        ask = CreateExperiment(request_id=self.next_id(), by="test", name="e", control=control, treatment=treatment)
        await self.client.create_experiment(ask)
        if weight_bp:
            await self.weight(weight_bp)

    async def state(self) -> ExperimentStatus:
        """The experiment now."""
        return (await self.client.status()).experiments[0]

    async def weight(self, weight_bp: int) -> None:
        """The treatment's share."""
        revision = (await self.state()).state.revision
        ask = ChangeWeight(request_id=self.next_id(), by="test", weight_bp=weight_bp, revision=revision)
        assert not (await self.client.change_weight("e", ask)).pending

    async def roll_back(self, reason: str) -> None:
        """Everyone back to the control."""
        ask = Rollback(request_id=self.next_id(), by="test", reason=reason)
        assert not (await self.client.roll_back("e", ask)).pending

    async def clear(self) -> None:
        """Let the treatment have users again after a rollback."""
        revision = (await self.state()).state.revision
        ask = ClearLatch(request_id=self.next_id(), by="test", revision=revision, reason="the test goes on")
        await self.client.clear_latch("e", ask)

    async def engine(self, name: str = "engine") -> EngineStatus:
        """An engine's first replica now."""
        return next(one for one in (await self.client.status()).engines if one.name == name)

    async def when(self, condition: Any, seconds: float = 20.0) -> HostStatus:
        """The host's status once the condition holds for it."""
        return await status_when(self.client, condition, seconds)

    async def until(self, state: str, name: str = "engine", seconds: float = 20.0, generation: int = 0) -> EngineStatus:
        """An engine's first replica once it is in a state, of at least this generation."""

        def found(status: HostStatus) -> list[EngineStatus]:
            return [
                one for one in status.engines if (one.name, one.state) == (name, state) and one.generation >= generation
            ]

        return found(await self.when(found, seconds))[0]

    async def untouched(self, name: str) -> None:
        """It was started once, and the agent never had to start it again."""
        assert len((await self.client.engine(name)).starts) == 1
        kinds = [one.kind for one in (await self.client.operations()).operations if one.engine == name]
        assert "recover" not in kinds

    async def end(self, operation: str) -> Operation:
        """An operation once it has ended, however it did."""
        await self.when(lambda status: not any(one.id == operation and not one.ended for one in status.operations), 30)
        return await self.client.operation(operation)


@contextlib.asynccontextmanager
async def deck(models: Path, *arguments: str, gateway: bool = True) -> AsyncIterator[Deck]:
    """A running agent; all of it is gone afterwards."""
    async with agent(models, *(("--gateway", "127.0.0.1:0") if gateway else ()), *arguments) as one:
        client = one.client()
        try:
            yield Deck(one, client)
        finally:
            await client.close()
