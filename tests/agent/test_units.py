"""The systemd units: what must be in them so that engines outlive the agent, and where they say the program is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quantdeck_agent.units import unit, write_unit
from quantdeck_core.errors import InputError
from support.agents import AgentProcess, short_folder

QUANTDECK = str(Path(sys.executable).with_name("quantdeck"))


def settings(*, user: bool) -> dict[str, list[str]]:
    """Keys of all sections; a key may be there several times."""
    found: dict[str, list[str]] = {}
    for line in unit(user=user).splitlines():
        if re.match(r"[A-Za-z]+=", line):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("user", [False, True])
def test_engines_and_gateway_outlive_the_agent(user: bool) -> None:
    keys = settings(user=user)
    assert keys["Type"] == ["notify"]
    assert keys["NotifyAccess"] == ["main"]
    assert keys["KillMode"] == ["process"]
    assert keys["OOMPolicy"] == ["continue"]
    assert keys["Restart"] == ["always"]
    assert keys["StartLimitIntervalSec"] == ["0"]
    assert keys["RuntimeDirectoryPreserve"] == ["yes"]
    assert keys["RuntimeDirectory"] == ["quantdeck"]
    assert int(keys["WatchdogSec"][0]) >= 10
    assert keys["ExecStart"][0].startswith(f"{QUANTDECK} agent run ")
    assert "@" not in keys["ExecStart"][0]


def test_the_system_unit_gives_the_agent_little_and_engines_enough() -> None:
    keys = settings(user=False)
    assert keys["User"] == ["quantdeck"]
    assert keys["StateDirectory"] == ["quantdeck"]
    assert keys["CapabilityBoundingSet"] == [""]
    assert keys["NoNewPrivileges"] == ["yes"]
    assert keys["ProtectSystem"] == ["strict"]
    assert set(keys["RestrictAddressFamilies"][0].split()) == {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}
    assert "/tmp" in keys["ReadWritePaths"][0].split()
    # What would break engines: their code caches, their sockets in /tmp, their GPUs.
    assert keys["PrivateTmp"] == ["no"]
    assert keys["DevicePolicy"] == ["auto"]
    assert not {"MemoryDenyWriteExecute", "SystemCallFilter", "PrivateDevices", "ProtectClock", "DeviceAllow"} & set(
        keys
    )
    assert "--state /var/lib/quantdeck --runtime /run/quantdeck" in keys["ExecStart"][0]


def test_a_path_with_spaces_and_percents_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my %env/bin/python")
    assert 'ExecStart="/opt/my %%env/bin/python" -m quantdeck agent run' in unit(user=False)


def test_it_is_written_and_the_next_step_named(tmp_path: Path) -> None:
    run = subprocess.run([QUANTDECK, "agent", "units"], capture_output=True, text=True, check=True)
    assert run.stdout == unit(user=False)
    assert "systemctl --user daemon-reload" in write_unit(tmp_path, user=True)
    assert (tmp_path / "quantdeck-agent.service").read_text() == unit(user=True)
    assert [file.name for file in tmp_path.iterdir()] == ["quantdeck-agent.service"]
    with pytest.raises(InputError, match="No such file or directory"):
        write_unit(tmp_path / "nowhere", user=False)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("user", [False, True])
def test_systemd_itself_has_no_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: bool) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    write_unit(tmp_path, user=user)
    argv = ["systemd-analyze", "verify", *(["--user"] if user else []), str(tmp_path / "quantdeck-agent.service")]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


async def test_a_log_file_is_rotated_by_the_agent_itself(tmp_path: Path) -> None:
    with short_folder() as folder:
        log = folder / "own.log"
        log.write_bytes(b"x" * (10 << 20))
        one = AgentProcess(folder, tmp_path, "--log-file", str(log))
        try:
            await one.start()
            assert one.terminate() == 0
        finally:
            one.end_everything()
        assert "agent test ready" in log.read_text()
        assert (folder / "own.log.1").stat().st_size == 10 << 20
        assert one.log() == ""


async def test_a_second_agent_does_not_take_the_sockets_of_the_first(tmp_path: Path) -> None:
    with short_folder() as folder:
        one = AgentProcess(folder, tmp_path)
        other = AgentProcess(folder, tmp_path, "--state", str(folder / "other"))
        try:
            await one.start()
            ready = one.ready_file.read_bytes()
            await other.start(ready=False)
            assert other.process
            assert other.process.wait(20) == 3
            assert "Somebody listens on" in one.log()
            one.ready_file.write_bytes(ready)  # the test's own start removed it
            client = one.client()
            assert (await client.status()).name == "test"
            await client.close()
            assert one.terminate() == 0
            assert sorted(path.name for path in (folder / "run").iterdir()) == []
        finally:
            one.end_everything()
            other.end_everything()
