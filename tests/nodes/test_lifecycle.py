"""A model over two hosts: real agents on loopback addresses, our own node program, played `ray` and `vllm`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from nodes.played_vllm import played_vllm
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.fleet_file import Host
from quantdeck_console.link.nodes import deploy_over, intend_over, stop_over
from quantdeck_core.errors import InputError, QuantdeckError, RemoteError
from quantdeck_core.profile.check import parse_profile
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Deploy, Restart, Scale, Stop
from support.agents import AgentProcess, agent, status_when
from support.profiles import FLAGS
from support.waiting import eventually

PROFILE = """
name = "big"
model = "tiny"
engine = "vllm"
executable = "{vllm}"
[serve]
tensor_parallel_size = 2
[warmup]
prompts = 1
[nodes]
count = 2
"""


class Cluster(NamedTuple):
    """Two agents, each for a host of its own."""

    hosts: tuple[Host, Host]
    agents: tuple[AgentProcess, AgentProcess]
    head: AgentClient
    node: AgentClient
    profile: Profile

    def wish(self) -> Deploy:
        return Deploy(request_id="r1", by="test", profile=self.profile)

    async def deploy(self) -> dict[str, EngineStatus]:
        return await deploy_over(self.hosts, self.wish())


def profile_for(vllm: Path) -> Profile:
    return parse_profile(PROFILE.format(vllm=vllm), "big.toml", FLAGS)


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played_vllm(tmp_path_factory.mktemp("environments") / "vllm")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    return folder.parent


def blocks() -> tuple[int, int]:
    """First ports of two blocks that nobody has now; other runs of these tests have others."""
    first = 21000 + os.getpid() % 50 * 200
    return first, first + 100


@pytest.fixture
async def cluster(models: Path, vllm: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("QUANTDECK_RAY_TOKEN", "secret")
    async with agent(models) as first, agent(models) as second:
        hosts = (
            Host(name="gpu-1", socket=str(first.socket()), address="127.0.0.2", ray_port=blocks()[0]),
            Host(name="gpu-2", socket=str(second.socket()), address="127.0.0.3", ray_port=blocks()[1]),
        )
        head, node = first.client(), second.client()
        yield Cluster(hosts, (first, second), head, node, profile_for(vllm))
        await head.close()
        await node.close()


def engine_of(status: HostStatus) -> EngineStatus:
    (found,) = status.engines
    return found


def serves(after: int) -> Callable[[HostStatus], bool]:
    """A part of a later generation is ready."""
    return lambda status: engine_of(status).state == "ready" and engine_of(status).generation > after


def programs(one: AgentProcess) -> list[str]:
    """What runs of an agent's engines, by name."""
    names = []
    for process in one.marked():
        try:
            names += [
                word for word in ("ray_node_main", "bin/ray", "bin/vllm") if word in " ".join(process.cmdline()[1:3])
            ]
        except psutil.Error:
            continue
    return sorted(names)


async def test_it_starts_answers_fails_comes_back_and_stops_as_one(cluster: Cluster) -> None:
    started = await cluster.deploy()
    assert [one.state for one in started.values()] == ["ready", "ready"]
    assert [programs(one) for one in cluster.agents] == [
        ["bin/ray", "bin/vllm", "ray_node_main"],
        ["bin/ray", "ray_node_main"],
    ]
    assert (started["gpu-1"].part, started["gpu-2"].part) == (0, 1)
    assert (started["gpu-2"].url, started["gpu-2"].hosts) == ("", ("gpu-1", "gpu-2"))
    async with httpx.AsyncClient(base_url=started["gpu-1"].url, trust_env=False) as http:
        answered = await http.post("/v1/completions", json={"model": "assistant", "prompt": "a"})
    assert answered.status_code == 200
    for one in cluster.agents:
        # The secret is on no command line, and in no file of ours.
        assert all("secret" not in " ".join(process.cmdline()) for process in one.marked())
        files = [path.read_bytes() for path in one.folder.rglob("*") if path.is_file()]
        assert files
        assert not any(b"RAY_AUTH_TOKEN=secret" in text or b'"secret"' in text for text in files)

    # A node dies: the server is of no use without it, and all of it comes back.
    pid = started["gpu-2"].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    for client in (cluster.head, cluster.node):
        status = await status_when(client, serves(1), 30)
        assert "ended by itself" in status.alarms[0].text
    assert "Executor failed" in (await cluster.head.status()).alarms[0].text
    said = await stop_over(cluster.hosts, "big", Stop(request_id="s1"))
    assert not [one for one in said.values() if isinstance(one, QuantdeckError)]
    for one in cluster.agents:
        await eventually(lambda one=one: not one.marked(), what="nothing is left")
    assert not list((cluster.agents[0].folder / "state").glob("ray-*"))


@pytest.mark.slow
async def test_a_dead_head_is_joined_again_by_its_node(cluster: Cluster) -> None:
    started = await cluster.deploy()
    pid = started["gpu-1"].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await status_when(cluster.head, serves(1), 30)
    await status_when(cluster.node, serves(1), 30)
    assert [programs(one) for one in cluster.agents] == [
        ["bin/ray", "bin/vllm", "ray_node_main"],
        ["bin/ray", "ray_node_main"],
    ]


@pytest.mark.slow
async def test_a_node_waits_for_its_head_however_long_that_is_away(cluster: Cluster) -> None:
    await cluster.deploy()
    await cluster.head.stop("big", Stop(request_id="s1"))
    waiting = await status_when(
        cluster.node, lambda s: [o for o in s.operations if o.current and "waiting for gpu-1" in o.current.detail], 30
    )
    assert engine_of(waiting).state != "ready"
    assert engine_of(waiting).error
    await cluster.node.stop("big", Stop(request_id="s2"))
    await status_when(cluster.node, lambda status: not status.engines)
    assert not cluster.agents[1].marked()


@pytest.mark.slow
async def test_agents_that_were_killed_find_their_parts_again(cluster: Cluster) -> None:
    started = await cluster.deploy()
    for one in cluster.agents:
        one.kill()
        await one.start()
    for client, host in ((cluster.head, "gpu-1"), (cluster.node, "gpu-2")):
        status = await status_when(client, lambda s: engine_of(s).state == "ready")
        assert (engine_of(status).pid, engine_of(status).generation) == (started[host].pid, 1)


@pytest.mark.slow
async def test_it_is_started_anew_by_swap_alone_and_never_scaled(cluster: Cluster) -> None:
    await cluster.deploy()
    with pytest.raises(RemoteError, match="Ray's ports are its own"):
        await cluster.head.restart("big", Restart(request_id="r2"))
    with pytest.raises(RemoteError, match="it has one replica"):
        await cluster.head.scale("big", Scale(request_id="r3", replicas=2))
    applied = await cluster.head.restart("big", Restart(request_id="r4", swap=True))
    assert applied.operation
    await status_when(cluster.head, serves(1), 30)
    await status_when(cluster.node, lambda status: engine_of(status).state == "ready", 30)


async def test_a_host_that_cannot_leaves_nothing_begun_on_the_others(
    cluster: Cluster, models: Path, tmp_path: Path
) -> None:
    bare = profile_for(played_vllm(tmp_path / "bare", ray=None))
    for profile, message in (
        (bare, "vLLM's environment has no ray"),
        (profile_for(played_vllm(tmp_path / "old", ray="2.51.0")), r"Ray 2\.51\.0 .* lets anybody"),
    ):
        with pytest.raises(RemoteError, match=f"gpu-[12]: .*{message}"):
            await deploy_over(cluster.hosts, Deploy(request_id="x", profile=profile))
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(models, elsewhere)
    async with agent(elsewhere) as other:
        moved = Host(name="gpu-3", socket=str(other.socket()), address="127.0.0.4", ray_port=blocks()[0])
        with pytest.raises(InputError, match=f"path is {models}/tiny on gpu-1 and {elsewhere}/tiny on gpu-3"):
            await deploy_over((cluster.hosts[0], moved), cluster.wish())
    first, second = cluster.hosts
    unnamed = Host(name="gpu-2", socket=second.socket)
    with pytest.raises(InputError, match="gpu-2 has no address"):
        await deploy_over((first, unnamed), cluster.wish())
    with pytest.raises(InputError, match="needs 2 hosts, and 1 are named"):
        await deploy_over((first,), cluster.wish())
    with pytest.raises(InputError, match="a host is named twice"):
        await deploy_over((first, first), cluster.wish())
    with pytest.raises(RemoteError, match="needs 2 hosts, and the deployment names none"):
        await cluster.head.deploy(cluster.wish())
    for client in (cluster.head, cluster.node):
        status = await client.status()
        assert (status.engines, status.operations) == ((), ())


@pytest.mark.slow
async def test_what_was_begun_is_ended_where_another_host_fails(cluster: Cluster) -> None:
    with (
        socket.create_server(("127.0.0.3", blocks()[1] + 3)),
        pytest.raises(RemoteError, match=f"port {blocks()[1] + 3} "),
    ):
        await cluster.deploy()
    for one in cluster.agents:
        await eventually(lambda one=one: not one.marked(), what="nothing is left")


@pytest.mark.slow
async def test_the_dry_run_says_what_each_host_would_start(cluster: Cluster) -> None:
    intended = await intend_over(cluster.hosts, cluster.wish())
    assert [one.argv[2] for one in intended.values()] == ["quantdeck_agent.engines.ray_node_main"] * 2
    assert [one.version for one in intended.values()] == ["0.33.0"] * 2
    assert "secret" not in str(intended)


@pytest.mark.slow
async def test_a_host_that_is_away_keeps_its_part_and_is_said_to(cluster: Cluster) -> None:
    await cluster.deploy()
    cluster.agents[1].kill()
    said = await stop_over(cluster.hosts, "big", Stop(request_id="s1"))
    assert not isinstance(said["gpu-1"], QuantdeckError)
    assert isinstance(said["gpu-2"], QuantdeckError)
    assert not cluster.agents[0].marked()
    await cluster.agents[1].start()
    said = await stop_over(cluster.hosts, "big", Stop(request_id="s2"))
    assert not [one for one in said.values() if isinstance(one, QuantdeckError)]
    await eventually(lambda: not cluster.agents[1].marked())


async def quantdeck(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    pipe = asyncio.subprocess.PIPE
    argv = [sys.executable, "-m", "quantdeck", *arguments]
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.slow
async def test_the_commands_deploy_show_and_stop_it(cluster: Cluster, vllm: Path, tmp_path: Path) -> None:
    profile, fleet = tmp_path / "big.toml", tmp_path / "fleet.toml"
    profile.write_text(PROFILE.format(vllm=vllm))
    fleet.write_text(
        "".join(
            f'[[host]]\nname = "{host.name}"\nsocket = "{host.socket}"\naddress = "{host.address}"\n'
            f"ray_port = {host.ray_port}\n"
            for host in cluster.hosts
        )
    )
    both = ("--fleet", str(fleet), "--host", "gpu-1", "--host", "gpu-2")
    code, out, err = await quantdeck("deploy", str(profile), *both, "--dry-run")
    assert code == 0, err
    assert "gpu-2: would deploy big" in out
    code, _, err = await quantdeck("deploy", str(profile), *both, "--no-wait")
    assert (code, "Leave --no-wait out" in err) == (2, True)
    code, out, err = await quantdeck("deploy", str(profile), *both)
    assert code == 0, err
    assert "gpu-1: big.1 ready in" in out
    assert "its GPUs serve gpu-1" in out
    assert "gpu-2: " in err, "its steps are shown"
    code, out, err = await quantdeck("engine", "big", "--fleet", str(fleet), "--host", "gpu-2")
    assert "part 2 of 2: gpu-1, gpu-2" in out, err
    # Any of its hosts will do.
    code, out, err = await quantdeck("stop", "big", "--fleet", str(fleet), "--host", "gpu-2", "--json")
    assert code == 0, err
    assert json.loads(out).keys() == {"gpu-1", "gpu-2"}
    for one in cluster.agents:
        assert not one.marked()
    code, _, err = await quantdeck("stop", "big", *both)
    assert (code, "big" in err) == (2, True)


def test_the_command_says_which_host_has_no_address(vllm: Path, models: Path, tmp_path: Path) -> None:
    profile = tmp_path / "big.toml"
    profile.write_text(PROFILE.format(vllm=vllm))
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[host]]\nname = "a"\n[[host]]\nname = "b"\naddress = "10.0.0.2"\n')
    argv = [
        sys.executable,
        "-m",
        "quantdeck",
        "deploy",
        str(profile),
        "--fleet",
        str(fleet),
        "--host",
        "a",
        "--host",
        "b",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "a has no address" in done.stderr + done.stdout
