"""Bring the demo up: models, keys, hosts, engines, experiment; each through its public door."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import tomli_w

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.connect import agent_of
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.link.fleet_file import Fleet, load_fleet
from quantdeck_console.profile_source import load_profile
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.requests import CreateExperiment, Deploy
from quantdeck_demo.checkpoints import Models
from quantdeck_demo.hosts import DemoHost
from quantdeck_demo.keys import make_keys, write_known_hosts
from quantdeck_demo.place import Place

EXPERIMENT = "int8_rollout_v1"
RACK, EDGE = "rack-1", "edge-1"
BY = "demo"
CANARY = CanarySettings(
    prompts=(
        "What does the keeper do at midnight?",
        "Which train stops here before breakfast?",
        "How do I find the harbour in the fog?",
        "Who rings the bell when it is calm?",
        "What should the crew know before we sail?",
        "Where can I borrow a lantern?",
    )
)
"""Questions whose likeliest answers keep clear of the loop: damage that no fixed prompt meets is what the judge of
users' answers is for. The built-in prompts find it too, and on a slow machine they would be first."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """A demo that runs.

    Attributes:
        fleet: both hosts, as the console reads them.
        gateway_url: where clients send their requests.
    """

    fleet: Fleet
    fleet_file: Path
    gateway_url: str
    models: Models

    def profile(self, name: str, model: Path) -> Profile:
        """A built-in profile, pointed at one of the demo's checkpoints."""
        relative = os.path.relpath(model, self.models.root)
        return msgspec.structs.replace(load_profile(name), model=relative)


@asynccontextmanager
async def hosts_up(place: Place, models: Models, gateway_port: int, say: Progress) -> AsyncIterator[Stage]:
    """Two agents that answer over SSH; they end with this context.

    Raises:
        HostFailedError: an agent did not start, e.g. since the gateway's port is taken.
    """
    keys = make_keys(place.root / "keys")
    hosts = [
        DemoHost(RACK, place.host(RACK), models.root, gateway=f"127.0.0.1:{gateway_port}"),
        DemoHost(EDGE, place.host(EDGE), models.root),
    ]
    say(f"starting two hosts, {RACK} and {EDGE}, each with an agent and an SSH server of its own")
    try:
        for host in hosts:
            host.start(keys)
        await asyncio.gather(*(host.until_ready() for host in hosts))
        known_hosts = place.root / "known_hosts"
        write_known_hosts(known_hosts, keys, [host.ssh_port for host in hosts])
        _write_fleet(place.fleet_file, hosts, keys.identity, known_hosts)
        yield Stage(load_fleet(place.fleet_file), place.fleet_file, f"http://{hosts[0].gateway}", models)
    finally:
        # Shielded: a second Ctrl-C must not leave engines behind.
        await asyncio.shield(asyncio.gather(*(host.stop() for host in hosts)))


def _write_fleet(file: Path, hosts: list[DemoHost], identity: Path, known_hosts: Path) -> None:
    tables = [
        {
            "name": host.name,
            "ssh": f"demo@127.0.0.1:{host.ssh_port}",
            "socket": str(host.socket),
            "identity": str(identity),
            "known_hosts": str(known_hosts),
            "labels": ["demo"],
        }
        for host in hosts
    ]
    file.write_text(tomli_w.dumps({"host": tables}))


async def deploy_everything(stage: Stage) -> float:
    """Start the three engines and create the experiment at 0 %; returns seconds until all were ready."""
    began = time.monotonic()
    rack, edge = stage.fleet.host
    models = stage.models
    async with agent_of(rack) as on_rack, agent_of(edge) as on_edge:
        await asyncio.gather(
            _deploy(on_rack, stage.profile("demo-f16", models.control), "control"),
            _deploy(on_rack, stage.profile("demo-q8", models.treatment), "treatment"),
            _deploy(on_edge, stage.profile("demo-edge", models.treatment), "edge"),
        )
        ready_s = time.monotonic() - began
        wish = CreateExperiment(
            request_id=f"create-{EXPERIMENT}",
            by=BY,
            name=EXPERIMENT,
            control="control",
            treatment="treatment",
            canary=CANARY,
        )
        await on_rack.create_experiment(wish)
    return ready_s


async def damage(stage: Stage) -> EngineStatus:
    """Put the broken checkpoint in the treatment's place: the new engine is ready before the old one drains."""
    async with agent_of(stage.fleet.host[0]) as client:
        profile = stage.profile("demo-damaged", stage.models.damaged)
        return await _deploy(client, profile, "treatment", replace=True)


async def repair(stage: Stage) -> EngineStatus:
    """Put the healthy quantized checkpoint back; the latch stays until somebody clears it."""
    async with agent_of(stage.fleet.host[0]) as client:
        profile = stage.profile("demo-q8", stage.models.treatment)
        return await _deploy(client, profile, "treatment", replace=True)


async def _deploy(client: AgentClient, profile: Profile, name: str, *, replace: bool = False) -> EngineStatus:
    wish = Deploy(request_id=f"{name}-{time.monotonic_ns()}", by=BY, profile=profile, name=name, replace=replace)
    applied = await client.deploy(wish)
    return await wait_until_ready(client, name, applied.operation)
