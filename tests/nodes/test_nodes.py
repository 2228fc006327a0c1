"""`[nodes]` in a profile: what is refused, what becomes of it, and what a plan counts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.played_vllm import played_vllm
from quantdeck_agent.engines.command import KeyMissingError, require_startable
from quantdeck_agent.engines.program import Program
from quantdeck_agent.engines.ray_node_main import split
from quantdeck_agent.engines.ray_program import ray_scratch
from quantdeck_console.profile_rendering import render
from quantdeck_core.engines.argv import engine_command
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.engines.over_hosts import PlacementError
from quantdeck_core.engines.ray import OWN_PORTS, WORKER_PORTS
from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Devices, parse_devices
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.plan import plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving, serving_from
from quantdeck_core.profile.check import parse_profile
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.nodes import BLOCK, FIRST_PORT, Member, Nodes, Placement, address_problem, placement_problem
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.toml_text import TomlError
from quantdeck_profiles import data
from support.profiles import FILE, FLAGS, flags

MEMBERS = (Member(host="gpu-1", address="10.0.0.1"), Member(host="gpu-2", address="10.0.0.2", port=30000))
LAUNCH = Launch(
    model_path="/models/m", port=9001, python="/py", executable="/opt/vllm/bin/vllm", version="0.32.0", scratch="/s"
)
PLACED = 'placement = { members = [{ host = "a", address = "10.0.0.1" }, { host = "b", address = "10.0.0.2" }] }'
DEVICES = Devices(parse_devices(data.text("devices"), "devices.toml"))
ESTIMATES = parse_estimates(data.text("memory"))


def profile(*serve: str, nodes: str = "count = 2", engine: str = "vllm") -> Profile:
    lines = ['name = "p"', 'model = "m"', f'engine = "{engine}"', "[serve]", *serve, "[nodes]", nodes]
    return parse_profile("\n".join(lines), FILE, FLAGS)


def on_host(rank: int, *serve: str, members: tuple[Member, ...] = MEMBERS) -> Command:
    one = profile("tensor_parallel_size = 8", "pipeline_parallel_size = 2", *serve)
    assert one.nodes
    nodes = msgspec.structs.replace(one.nodes, placement=Placement(members=members, rank=rank))
    return engine_command(FLAGS, msgspec.structs.replace(one, nodes=nodes), LAUNCH)


def test_the_heads_commands_exactly() -> None:
    made = on_host(0, 'api_key_env = "QD_KEY"')
    own, (node, server) = split(list(made.argv[3:]))
    assert made.argv[:3] == ("/py", "-m", "quantdeck_agent.engines.ray_node_main")
    assert own == ["--address", "10.0.0.1", "--port", "20100", "--scratch", "/s", "--await=gpu-2=10.0.0.2:30001"]
    assert node == [
        "/opt/vllm/bin/ray", "start", "--head", "--port", "20100", "--ray-client-server-port", "20107",
        "--include-dashboard", "false", "--block", "--node-ip-address", "10.0.0.1",
        "--node-manager-port", "20101", "--object-manager-port", "20102", "--dashboard-agent-grpc-port", "20103",
        "--dashboard-agent-listen-port", "20104", "--runtime-env-agent-port", "20105", "--metrics-export-port", "20106",
        "--min-worker-port", "20110", "--max-worker-port", "20199", "--num-gpus", "8", "--num-cpus", "1",
        "--object-store-memory", "1073741824", "--temp-dir", "/s", "--include-log-monitor", "true",
        "--disable-usage-stats", "--log-style", "record", "--log-color", "false",
    ]  # fmt: skip
    assert server[:3] == ["/opt/vllm/bin/vllm", "serve", "/models/m"]
    given_ = flags(tuple(server))
    assert (given_["--tensor-parallel-size"], given_["--pipeline-parallel-size"]) == ("8", "2")
    assert (given_["--distributed-executor-backend"], given_["--port"]) == ("ray", "9001")
    assert made.env["VLLM_HOST_IP"] == "10.0.0.1"
    assert made.env["RAY_ADDRESS"] == "10.0.0.1:20100"
    assert (made.env["RAY_AUTH_MODE"], made.env["RAY_USAGE_STATS_ENABLED"]) == ("token", "0")
    assert made.env_from == {"RAY_AUTH_TOKEN": "QUANTDECK_RAY_TOKEN", "VLLM_API_KEY": "QD_KEY"}
    around = {"QUANTDECK_RAY_TOKEN": "t", "QD_KEY": "k", "RAY_ADDRESS": "elsewhere:1", "RAY_AUTH_MODE": "disabled"}
    environment = made.environment({**around, "RAY_ENABLE_AUTO_CONNECT": "1"})
    assert environment["RAY_ADDRESS"] == "10.0.0.1:20100"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert "RAY_ENABLE_AUTO_CONNECT" not in environment


def test_another_hosts_command_joins_the_head() -> None:
    made = on_host(1, 'api_key_env = "QD_KEY"')
    own, (node,) = split(list(made.argv[3:]))
    assert own[-1] == "--await=gpu-1=10.0.0.1:20100"
    given_ = flags(tuple(node))
    assert (given_["--address"], given_["--node-ip-address"]) == ("10.0.0.1:20100", "10.0.0.2")
    assert (given_["--node-manager-port"], given_["--num-gpus"]) == ("30001", "8")
    assert "--head" not in given_
    assert made.env["VLLM_HOST_IP"] == "10.0.0.2"
    assert made.env["RAY_ADDRESS"] == "10.0.0.1:20100"
    # Only the server is asked for a key.
    assert made.env_from == {"RAY_AUTH_TOKEN": "QUANTDECK_RAY_TOKEN"}


def test_no_two_programs_of_a_host_share_a_port() -> None:
    node = split(list(on_host(0).argv[3:]))[1][0]
    ports = [int(value) for flag, value in flags(tuple(node)).items() if flag.endswith("-port") or flag == "--port"]
    single = [port for port in ports if port - FIRST_PORT in OWN_PORTS]
    assert len(single) == len(set(single)) == len(OWN_PORTS) - 1  # the autoscaler's has a variable
    assert not set(OWN_PORTS) & set(WORKER_PORTS)
    assert max(WORKER_PORTS) < BLOCK


def test_gpus_are_counted_on_each_host() -> None:
    serve = resolved(profile("tensor_parallel_size = 2", "pipeline_parallel_size = 2", "gpus = [2, 3]"), None)
    assert (serve.nodes, serve.gpus_per_host) == (2, 2)
    assert on_host(1, "gpus = [0, 1, 2, 3, 4, 5, 6, 7]").env["CUDA_VISIBLE_DEVICES"] == "0,1,2,3,4,5,6,7"


@pytest.mark.parametrize(
    ("engine", "serve", "nodes", "where", "message", "hint"),
    [
        ("vllm-cpu", ("tensor_parallel_size = 2",), "count = 2", 6, "runs on one host", "no Ray on CPUs"),
        ("llama-server", (), "count = 2", 5, "runs on one host", "Leave .nodes. out"),
        ("vllm", ("tensor_parallel_size = 3",), "count = 2", 7, "3 GPUs: they cannot be divided evenly", "Usual"),
        ("vllm", (), "count = 4", 6, "1 GPUs: they cannot be divided", "pipeline_parallel_size = hosts"),
        ("vllm", ("tensor_parallel_size = 4", "gpus = [0, 1, 2, 3]"), "count = 2", 6, "2 GPUs on each", "of one host"),
        ("vllm", ("tensor_parallel_size = 2", "replicas = 2"), "count = 2", 6, "one replica", "another --name"),
        (
            "vllm", ("tensor_parallel_size = 2", 'extra_args = ["--distributed-executor-backend=mp"]'), "count = 2",
            6, "is ray in any case", "Leave it out",
        ),
        ("vllm", ("tensor_parallel_size = 2",), "count = 1", 7, ">= 2", ""),
        ("vllm", ("tensor_parallel_size = 2",), 'count = 2\ntoken_env = "a b"', 8, "matching regex", ""),
        ("vllm", ("tensor_parallel_size = 2",), "count = 2\nport = 1", 8, "port", ""),
        (
            "vllm", ("tensor_parallel_size = 2",), f"count = 2\n{PLACED}",
            8, "when it is deployed", "Leave placement out",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_spread_is_refused_with_its_line(
    engine: str, serve: tuple[str, ...], nodes: str, where: int, message: str, hint: str
) -> None:
    with pytest.raises(TomlError, match=message) as refused:
        profile(*serve, nodes=nodes, engine=engine)
    assert f"{FILE}:{where}:" in refused.value.detail
    assert re.search(hint, refused.value.hint)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("10.0.0.7", None), ("192.168.3.1", None), ("fd00::7", None), ("100.64.0.9", None), ("127.0.0.2", None),
        ("8.8.8.8", "public"), ("2001:4860:4860::8888", "public"), ("0.0.0.0", "no address of one host"),
        ("127.0.0.1", "each host's own"), ("224.0.0.1", "no address of one host"), ("10.0.0", "no IP address"),
    ],
)  # fmt: skip
def test_only_private_addresses_are_taken(address: str, problem: str | None) -> None:
    found = address_problem(address)
    assert (found is None) if problem is None else (found is not None and problem in found)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", "9.9.9.9"])),
        min_size=2,
        max_size=4,
    ),
    st.integers(2, 4),
    st.integers(0, 4),
)
def test_a_placement_is_taken_exactly_where_its_hosts_go_together(
    members: list[tuple[str, str]], count: int, rank: int
) -> None:
    hosts = tuple(Member(host=host, address=address) for host, address in members)
    problem = placement_problem(Nodes(count=count, placement=Placement(members=hosts, rank=rank)))
    names, addresses = {host for host, _ in members}, {address for _, address in members}
    good = len(members) == count > rank and len(names) == len(addresses) == count and "9.9.9.9" not in addresses
    assert (problem is None) == good


def test_nothing_is_rendered_for_an_agent_without_hosts() -> None:
    with pytest.raises(PlacementError, match="needs 2 hosts, and the deployment names none") as refused:
        engine_command(FLAGS, profile("tensor_parallel_size = 2"), LAUNCH)
    assert "--host A --host B" in refused.value.hint


def test_an_agent_without_the_secret_starts_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    one = profile("tensor_parallel_size = 2", 'api_key_env = "QD_KEY"')
    assert one.nodes
    head, node = (
        msgspec.structs.replace(
            one, nodes=msgspec.structs.replace(one.nodes, placement=Placement(members=MEMBERS, rank=rank))
        )
        for rank in (0, 1)
    )
    monkeypatch.delenv("QUANTDECK_RAY_TOKEN", raising=False)
    monkeypatch.setenv("QD_KEY", "k")
    with pytest.raises(KeyMissingError, match="the secret that its hosts share from QUANTDECK_RAY_TOKEN"):
        require_startable(node)
    monkeypatch.setenv("QUANTDECK_RAY_TOKEN", "t")
    monkeypatch.delenv("QD_KEY")
    require_startable(node)
    with pytest.raises(KeyMissingError, match="its API key from QD_KEY"):
        require_startable(head)


def test_a_folder_that_is_too_long_for_rays_sockets_is_refused(tmp_path: Path) -> None:
    one = profile("tensor_parallel_size = 2")
    assert one.nodes
    one = msgspec.structs.replace(one, nodes=msgspec.structs.replace(one.nodes, placement=Placement(members=MEMBERS)))
    vllm = Program(str(played_vllm(tmp_path / "environment")), "0.33.0")
    assert ray_scratch(one, vllm, Path("/var/lib/quantdeck")) == "/var/lib/quantdeck/ray-20100"
    with pytest.raises(InputError, match="too long for Ray's sockets"):
        ray_scratch(one, vllm, Path("/srv/a/rather/long/path/for/the/state/of/an/agent"))


def test_ipv6_addresses_stand_in_brackets() -> None:
    members = (Member(host="a", address="fd00::1"), Member(host="b", address="fd00::2"))
    made = on_host(1, members=members)
    assert made.env["RAY_ADDRESS"] == "[fd00::1]:20100"
    assert "--await=a=[fd00::1]:20100" in made.argv


def test_a_plan_counts_gpus_over_all_hosts_and_needs_those_of_one_on_each() -> None:
    model = Checkpoint(
        format="none", label="BF16", parameters=70_000_000_000, weights_bytes=140 * 10**9, layers=80, hidden_size=8192,
        heads=64, kv_heads=8, head_dim=128, intermediate_size=28672, vocab_size=128_256, context_length=131_072,
    )  # fmt: skip
    one = profile("tensor_parallel_size = 2", "pipeline_parallel_size = 2")
    serving = serving_from(one, model)
    assert (serving.gpus, serving.gpus_per_host, serving.nodes) == (4, 2, 2)
    h100 = DEVICES.named("h100-80gb")
    found = plan(model, serving, Site(h100, 2), ESTIMATES)
    assert found.weights_bytes_per_gpu == 35 * 10**9
    assert (found.fits, found.problems) == (True, ())
    # The same GPUs in one host: nothing else about its memory is another.
    alone = plan(model, msgspec.structs.replace(serving, nodes=1), Site(h100, 4), ESTIMATES)
    assert alone.total_bytes_per_gpu == found.total_bytes_per_gpu
    assert alone.max_concurrency == found.max_concurrency
    lacking = plan(model, serving, Site(h100, 1), ESTIMATES)
    assert lacking.fits is False
    assert "needs 2 devices on each of 2 hosts" in lacking.problems[0].detail
    assert Serving(engine="vllm", tensor_parallel=8).gpus_per_host == 8


def test_render_shows_all_programs_with_their_hosts() -> None:
    one = profile("tensor_parallel_size = 8", "pipeline_parallel_size = 3", nodes="count = 3")
    rendered = render(one, "0.32.0", Path("/models/m"), None, 0)
    assert [(part.host, part.role) for part in rendered.parts] == [
        ("host-1", "head"), ("host-1", "server"), ("host-2", "node 2 of 3"), ("host-3", "node 3 of 3"),
    ]  # fmt: skip
    text = "\n".join(rendered.lines())
    assert text.count("ray start \\") == 3
    assert text.count("vllm serve /models/m \\") == 1
    assert "# host-3: node 3 of 3" in text
    assert "$QUANTDECK_RAY_TOKEN" in text


def test_the_command_prints_them(tmp_path: Path) -> None:
    file = tmp_path / "big.toml"
    file.write_text(
        'name = "big"\nmodel = "m"\nengine = "vllm"\n[serve]\ntensor_parallel_size = 2\n[nodes]\ncount = 2\n'
    )
    argv = [sys.executable, "-m", "quantdeck", "profile", "render", str(file), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [part["role"] for part in said["parts"]] == ["head", "server", "node 2 of 2"]
    assert said["argv"][:2] == ["vllm", "serve"]
