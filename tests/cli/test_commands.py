"""The command line as scripts use it: real processes, real agent, exit codes and JSON."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

import quantdeck_profiles
from quantdeck.main import COMMANDS
from quantdeck_console.profile_source import load_profile
from support.agents import AgentProcess, agent


def run(*arguments: str, fleet: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    more = {"QUANTDECK_FLEET": str(fleet)} if fleet else {}
    return subprocess.run(
        [sys.executable, "-m", "quantdeck", *arguments],
        env={**os.environ, **more, **env},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.fixture
async def host(demo_models: Path, tmp_path: Path) -> AsyncIterator[tuple[AgentProcess, Path]]:
    """A host with a gateway, and a fleet file that names it and one that is not there."""
    async with agent(demo_models, "--gateway", "127.0.0.1:0") as one:
        fleet = tmp_path / "fleet.toml"
        fleet.write_text(f'[[host]]\nname = "here"\nsocket = "{one.socket()}"\n')
        yield one, fleet


async def test_a_rollout_from_the_command_line(host: tuple[AgentProcess, Path], tmp_path: Path) -> None:
    one, fleet = host
    for profile, name in (("demo-f16", "control"), ("demo-q8", "treatment")):
        deployed = run("deploy", profile, "--host", "here", "--name", name, "--json", fleet=fleet)
        assert deployed.returncode == 0, deployed.stderr
        assert json.loads(deployed.stdout)["state"] == "ready"
    file = tmp_path / "experiment.toml"
    file.write_text(
        'name = "e"\ngateway = "here"\nunkeyed = "request"\n[control]\nengine = "control"\n'
        '[treatment]\nengine = "treatment"\nlimits = { max_queue = 7 }\n[rollback]\nrepetition = 0.08\n'
    )
    assert run("experiment", "create", str(file), fleet=fleet).returncode == 0
    served = json.loads((one.folder / "state" / "gateway.json").read_bytes())["experiments"][0]
    assert (served["unkeyed"], served["treatment"]["limits"]["max_queue"]) == ("request", 7)
    assert run("weight", "e", "12.5", "--reason", "clean", fleet=fleet).returncode == 0
    shown = json.loads(run("experiment", "show", "e", "--json", fleet=fleet).stdout)["here"][0]
    assert (shown["state"]["weight_bp"], shown["thresholds"]["repetition"]) == (1250, 0.08)
    assert "12.5 %" in run("experiment", "show", "e", fleet=fleet).stdout

    rolled_back = run("rollback", "e", "--reason", "odd answers", "--json", fleet=fleet)
    assert json.loads(rolled_back.stdout)["here"]["applied"]["effective_ms"] < 1000
    refused = run("weight", "e", "10", fleet=fleet)
    assert refused.returncode == 3
    assert "odd answers" in refused.stdout
    assert run("experiment", "clear", "e", "--reason", "mended", fleet=fleet).returncode == 0

    glance = run("fleet", fleet=fleet)
    assert glance.returncode == 0
    assert "here" in glance.stdout
    assert run("stop", "treatment", "--host", "here", fleet=fleet).returncode == 0


async def test_a_host_that_does_not_answer_is_said_to_be_unreachable(host: tuple[AgentProcess, Path]) -> None:
    _, fleet = host
    with fleet.open("a") as file:
        file.write('[[host]]\nname = "gone"\nsocket = "/nosuch/operator.sock"\n')
    glance = run("fleet", "--json", fleet=fleet)
    assert glance.returncode == 5
    reports = {report["host"]: report for report in json.loads(glance.stdout)}
    assert reports["here"]["status"]
    assert reports["gone"]["error"]["code"] == "unreachable"
    # It may run the experiment too, so nobody may believe that this was done everywhere.
    rolled_back = run("rollback", "e", "--reason", "x", fleet=fleet)
    assert rolled_back.returncode == 4
    assert "gone: PENDING" in rolled_back.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("deploy", "demo-f17", "--host", "here"), "Did you mean 'demo-f16'?"),
        (("deploy", "/nosuch.toml", "--host", "here"), "There is no file /nosuch.toml"),
        (("deploy", "demo-f16", "--host", "nowhere"), "No host 'nowhere'"),
        (("weight", "e", "120"), "not a weight"),
        (("weight", "nosuch", "10"), "No experiment 'nosuch'"),
        (("rollback", "e", "--reason", " "), "reason is empty"),
        (("experiment", "create", "/nosuch.toml"), "Cannot read /nosuch.toml"),
    ],
)
async def test_bad_input_is_refused_with_what_to_do_next(
    host: tuple[AgentProcess, Path], arguments: tuple[str, ...], words: str
) -> None:
    agent_process, fleet = host
    refused = run(*arguments, fleet=fleet)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "next:" in refused.stderr
    as_json = run(*arguments, "--json", fleet=fleet)
    assert json.loads(as_json.stdout)["error"]["hint"]
    assert not [one for one in agent_process.marked() if "xllamacpp_main" in " ".join(one.cmdline())]


def test_a_broken_profile_is_named_by_file_line_and_column(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('name = "mine"\nmodel = "m.gguf"\n[serve]\nthreads = 0\n')
    refused = run("profile", "validate", str(profile))
    assert refused.returncode == 2
    assert f"{profile}:4:1: serve.threads" in refused.stderr


def test_a_fleet_file_that_is_missing_or_broken(tmp_path: Path) -> None:
    missing = run("fleet", fleet=tmp_path / "nosuch.toml")
    assert missing.returncode == 2
    assert "docs/fleet.md" in missing.stderr
    broken = tmp_path / "fleet.toml"
    broken.write_text('[[host]]\nname = "a"\n[[host]]\nname = "a"\n')
    twice = run("fleet", fleet=broken)
    assert twice.returncode == 2
    assert "twice" in twice.stderr


def test_every_command_explains_itself() -> None:
    assert all(name in run("--help").stdout for name in COMMANDS)
    assert run("rolback").returncode == 2
    assert "rollback" in run("rolback").stderr
    for name in ("demo", "fleet", "weight", "agent", "gateway"):
        assert "usage: quantdeck" in run(name, "--help").stdout, name


@pytest.mark.parametrize("name", quantdeck_profiles.names())
def test_built_in_profiles_can_be_used(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.description
    assert msgspec.json.decode(msgspec.json.encode(profile), type=type(profile)) == profile


def test_light_commands_load_no_heavy_parts() -> None:
    """`quantdeck fleet` must start at once: no TUI, no server, no SSH before a host needs it."""
    code = "import sys; import quantdeck_console.commands.fleet; print([m for m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("textual", "asyncssh", "uvicorn", "starlette", "numpy", "quantdeck_agent"):
        assert f"'{heavy}'" not in loaded


def test_the_console_draws_before_it_loads_what_connects() -> None:
    code = (
        "import sys; import quantdeck_console.commands.console, quantdeck_console.app; print([m for m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'textual.app'" in loaded
    for late in ("httpx", "asyncssh", "cryptography", "starlette", "uvicorn", "xllamacpp", "gguf", "quantdeck_agent"):
        assert f"'{late}'" not in loaded


@pytest.mark.parametrize(
    ("command", "size", "term", "words"),
    [
        ("demo", (24, 60), "xterm", "60x24"),
        ("demo", (24, 80), "dumb", "TERM is dumb"),
        ("console", (20, 80), "xterm", "80x20"),
    ],
)
def test_a_terminal_that_cannot_show_it(
    tmp_path: Path, command: str, size: tuple[int, int], term: str, words: str
) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[host]]\nname = "a"\n')
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    env = {**os.environ, "TERM": term, "QUANTDECK_FLEET": str(fleet), "TMPDIR": str(tmp_path)}
    env = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "quantdeck", command], stdin=child, stdout=child, stderr=child, env=env
    )
    os.close(child)
    said = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the process is
        while data := os.read(parent, 4096):
            said += data
    os.close(parent)
    assert process.wait(timeout=20) == 2
    assert words in said.decode()
    assert "next:" in said.decode()
    assert b"\x1b[" not in said
