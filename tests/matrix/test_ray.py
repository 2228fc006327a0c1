"""A model over two hosts: two agents on loopback addresses, real Ray, real vLLM; run by `make test-engines`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.fleet_file import Host
from quantdeck_console.link.nodes import deploy_over, stop_over
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.profile.check import parse_profile
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Deploy, Stop
from support.agents import AgentProcess, agent, status_when
from support.profiles import FLAGS
from support.waiting import eventually

NAMED = "QUANTDECK_VLLM_RAY"
HERE = Path(__file__).parents[1] / "engines" / "help"
START_S, NOTICE_S, AGAIN_S = 240.0, 60.0, 240.0
pytestmark = [
    pytest.mark.skipif(
        not os.environ.get(NAMED), reason=f"{NAMED} names no vllm with ray (tests/engines/install-ray.sh)"
    ),
    pytest.mark.timeout(900),
]

PROFILE = """
name = "big"
model = "tiny"
engine = "vllm"
executable = "{vllm}"
[serve]
tensor_parallel_size = 2
max_model_len = 256
max_num_seqs = 4
max_num_batched_tokens = 256
enforce_eager = true
shutdown_timeout = 5
env = {{ GLOO_SOCKET_IFNAME = "lo" }}
[warmup]
prompts = 1
deadline_s = 240
[nodes]
count = 2
"""


class Cluster(NamedTuple):
    """Two agents, each for a host of its own."""

    hosts: tuple[Host, Host]
    agents: tuple[AgentProcess, AgentProcess]
    clients: tuple[AgentClient, AgentClient]
    profile: Profile


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    python = Path(os.environ[NAMED]).with_name("python")
    subprocess.run([python, HERE / "tiny_llama.py", folder / "tiny"], check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture
async def cluster(models: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("QUANTDECK_RAY_TOKEN", os.urandom(32).hex())
    profile = parse_profile(PROFILE.format(vllm=os.environ[NAMED]), "big.toml", FLAGS)
    async with agent(models) as first, agent(models) as second:
        hosts = (
            Host(name="gpu-1", socket=str(first.socket()), address="127.0.0.2", ray_port=20100),
            Host(name="gpu-2", socket=str(second.socket()), address="127.0.0.3", ray_port=20200),
        )
        clients = (first.client(), second.client())
        yield Cluster(hosts, (first, second), clients, profile)
        for client in clients:
            await client.close()


def engine_of(status: HostStatus) -> EngineStatus:
    (found,) = status.engines
    return found


async def answer(url: str) -> int:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        body = {"model": "assistant", "prompt": "w1 w2", "max_tokens": 4}
        return (await http.post("/v1/completions", json=body)).json()["usage"]["completion_tokens"]


async def ray_status(token: str | None) -> int:
    """Exit code of `ray status` at the head."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    if token is not None:
        env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    argv = [str(Path(os.environ[NAMED]).with_name("ray")), "status", "--address", "127.0.0.2:20100"]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, env=env, stdout=quiet, stderr=quiet)
    return await process.wait()


async def test_a_model_over_two_hosts_from_start_to_end(cluster: Cluster) -> None:
    hosts, agents, (head, node), profile = cluster
    # No rule and no plan knows a vLLM on a CPU that Ray takes for GPUs.
    started = await deploy_over(hosts, Deploy(request_id="r1", by="test", profile=profile, force=True))
    assert [one.state for one in started.values()] == ["ready", "ready"]
    assert await answer(started["gpu-1"].url) == 4
    assert (started["gpu-2"].url, started["gpu-2"].hosts) == ("", ("gpu-1", "gpu-2"))

    # What the workers write, on whichever host, is in the log of the head's engine.
    log = agents[0].folder / "state" / "logs" / f"engine-big.{started['gpu-1'].generation}.log"
    assert "ip=127.0.0.3" in log.read_text("utf-8", "replace")

    # Who has no token is not let in.
    assert await ray_status(None) != 0
    assert await ray_status(os.environ["QUANTDECK_RAY_TOKEN"]) == 0

    # A node dies: the server is of no use any more, is taken out, and all of it comes back.
    before = started["gpu-1"].generation
    pid = started["gpu-2"].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await status_when(node, lambda status: engine_of(status).state != "ready", NOTICE_S)
    await status_when(head, lambda status: engine_of(status).state != "ready", NOTICE_S)
    back = await status_when(
        head, lambda s: engine_of(s).state == "ready" and engine_of(s).generation > before, AGAIN_S
    )
    await status_when(node, lambda status: engine_of(status).state == "ready", AGAIN_S)
    assert await answer(engine_of(back).url) == 4

    # The head dies: its node notices, and joins the next one.
    pid, last = engine_of(back).pid, engine_of(await node.status()).generation
    assert pid
    os.kill(pid, signal.SIGKILL)
    await status_when(node, lambda status: engine_of(status).generation > last, AGAIN_S)
    again = await status_when(
        head, lambda s: engine_of(s).state == "ready" and engine_of(s).generation > engine_of(back).generation, AGAIN_S
    )
    assert await answer(engine_of(again).url) == 4

    stopped = await stop_over(hosts, "big", Stop(request_id="s1", by="test"))
    assert not [one for one in stopped.values() if isinstance(one, QuantdeckError)]
    for one, client in zip(agents, (head, node), strict=True):
        await status_when(client, lambda status: not status.engines, 60)
        await eventually(lambda one=one: not one.marked(), 30, what="nothing is left")
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if "--node-ip-address=127.0.0." in " ".join(p.info["cmdline"] or ())
    ]
