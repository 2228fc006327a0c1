"""The file of API keys that an agent hands to its gateway."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import httpx
import pytest

from quantdeck_agent.cli import main as run_agent
from quantdeck_agent.gateway.keys import GatewayKeys, read_keys
from quantdeck_console.commands.gateway_key import main as gateway_key
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.keys import digest_of
from support.agents import agent


def entry(name: str, digit: str = "a", more: str = "") -> str:
    return f'[[key]]\nname = "{name}"\nsha256 = "{(digit * 64)[:64]}"\n{more}\n'


def write(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_what_the_command_prints_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gateway_key(["mobile-app", "--priority", "high"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("    [[key]]")
    (key,) = read_keys(write(tmp_path / "keys.toml", "\n".join(lines[start : start + 4])))
    assert (key.name, key.priority, key.sha256) == ("mobile-app", "high", digest_of(lines[0].encode()))
    assert gateway_key(["other", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["entry"] == {"name": "other", "sha256": digest_of(made["key"].encode()), "priority": "normal"}


def test_a_change_is_noticed(tmp_path: Path) -> None:
    complaints: list[str] = []
    file = write(tmp_path / "keys.toml", entry("one"))
    keys = GatewayKeys(file, complaints.append)
    assert [key.name for key in keys()] == ["one"]
    write(file, entry("one") + entry("two", "b", 'priority = "low"'))
    assert [(key.name, key.priority) for key in keys()] == [("one", "normal"), ("two", "low")]
    assert complaints == []


@pytest.mark.parametrize("text", ["", "[[key]]\nname =", entry("one") * 2, entry("one", "Z"), entry("x", more="a=1")])
def test_a_change_that_cannot_be_used_is_told_once_and_lets_nobody_in(tmp_path: Path, text: str) -> None:
    complaints: list[str] = []
    file = write(tmp_path / "keys.toml", entry("one"))
    keys = GatewayKeys(file, complaints.append)
    write(file, text)
    for _ in range(3):
        assert [key.name for key in keys()] == ["one"]
    assert len(complaints) == 1
    file.unlink()
    assert [key.name for key in keys()] == ["one"]
    assert len(complaints) == 2
    write(file, entry("three", "c"))
    assert [key.name for key in keys()] == ["three"]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path / "keys.toml", entry("one"))
    file.chmod(mode)
    with pytest.raises(InputError, match="Others may write"):
        read_keys(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.toml", entry("one"))
    os.chown(file, 12345, -1)
    with pytest.raises(InputError, match="Others may write"):
        read_keys(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        GatewayKeys(tmp_path / "none.toml", print)


async def test_an_agent_hands_its_keys_to_its_gateway_and_notices_new_ones(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.toml", entry("one", digest_of(b"first")))
    async with agent(tmp_path, "--gateway", "0.0.0.0:0", "--gateway-keys", str(file)) as one:
        port = json.loads(one.ready_file.read_bytes())["gateway"].rpartition(":")[2]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

            async def asked(key: str) -> int:
                return (await http.get("/v1/models", headers={"authorization": f"Bearer {key}"})).status_code

            async def until(key: str, status: int) -> None:
                async with asyncio.timeout(10):
                    while await asked(key) != status:
                        await asyncio.sleep(0.02)

            await until("first", 200)
            assert await asked("second") == 401
            write(file, entry("two", digest_of(b"second")))
            await until("second", 200)
            assert await asked("first") == 401


def test_an_agent_lets_no_other_machine_in_without_keys(tmp_path: Path) -> None:
    for arguments in (["--gateway", "0.0.0.0:8080"], ["--gateway-keys", str(tmp_path / "keys.toml")]):
        with pytest.raises(InputError, match=r"in without|lets nobody in"):
            run_agent(["run", "--state", str(tmp_path / "state"), *arguments])
    assert not (tmp_path / "state").exists()
