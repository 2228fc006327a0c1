"""`quantdeck model` as people and scripts use it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.agents import AgentProcess
from support.pushes import CHUNK, gguf
from support.sources import Source, served

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def quantdeck(one: AgentProcess, tmp_path: Path) -> Command:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(
        f'[[host]]\nname = "gpu-1"\nsocket = "{one.socket()}"\nlabels = ["eu"]\n'
        f'[[host]]\nname = "gone"\nsocket = "{tmp_path}/nothing.sock"\n'
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "QUANTDECK_FLEET": str(fleet)}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "quantdeck", "model", *map(str, arguments)]
        return subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=50, check=False)

    return run


def _json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_push_list_verify_and_gc(quantdeck: Command, one: AgentProcess, tmp_path: Path) -> None:
    source = gguf(tmp_path / "a.gguf", CHUNK + 5)
    sha = hashlib.sha256(source.read_bytes()).hexdigest()
    done = quantdeck("push", source, "--all", "--json")
    assert done.returncode == 4, done.stderr
    here, gone = _json(done)
    assert (here["host"], here["job"]["state"], here["job"]["digest"]) == ("gpu-1", "done", sha)
    assert (gone["host"], gone["error"]["code"]) == ("gone", "unreachable")
    assert (one.models / "a.gguf").exists()

    listed = quantdeck("list", "--host", "gpu-1")
    assert listed.returncode == 0
    assert "for more models" in listed.stdout
    assert f"a.gguf  -  4.0 MiB  {sha[:12]}  verified" in listed.stdout

    again = quantdeck("push", source, "--label", "eu")
    assert (again.returncode, "the same content is there already" in again.stdout) == (0, True)

    (one.models / "a.gguf").write_bytes(b"GGUF")
    checked = quantdeck("verify", "a.gguf", "--host", "gpu-1", "--json")
    assert checked.returncode == 3
    (outcome,) = _json(checked)
    assert [one["path"] for one in outcome["job"]["differences"]] == ["a.gguf"]
    words = quantdeck("verify", "a.gguf", "--host", "gpu-1")
    assert "gpu-1: FAILED: a.gguf: a.gguf has other content" in words.stdout
    assert "next: Push or pull it again" in words.stdout

    shown = quantdeck("gc", "a.gguf", "--host", "gpu-1")
    assert (shown.returncode, "--yes removes it" in shown.stdout) == (0, True)
    assert (one.models / "a.gguf").exists()
    removed = quantdeck("gc", "a.gguf", "--host", "gpu-1", "--yes")
    assert (removed.returncode, "removed" in removed.stdout) == (0, True)
    assert not (one.models / "a.gguf").exists()


async def test_pull_and_jobs(quantdeck: Command, one: AgentProcess) -> None:
    content = b"GGUF" + os.urandom(1000)
    source = Source(files={"/b.gguf": content})
    async with served(source):
        wanted = ("--sha256", hashlib.sha256(content).hexdigest())
        done = await asyncio.to_thread(quantdeck, "pull", f"{source.url}/b.gguf", "--host", "gpu-1", *wanted)
    assert (done.returncode, "checked and in its place" in done.stdout) == (0, True), done
    assert (one.models / "b.gguf").read_bytes() == content
    jobs = await asyncio.to_thread(quantdeck, "jobs", "--host", "gpu-1")
    assert any(line.split()[1:4] == ["pull", "b.gguf", "done"] for line in jobs.stdout.splitlines()[1:])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["push", "nothing.gguf", "--host", "gpu-1"], 2, "There is nothing at"),
        (["push", "x"], 2, "No host was named"),
        (["push", "x", "--host", "gpu-9"], 2, "No host 'gpu-9'"),
        (["push", "x", "--label", "us"], 2, "No host has the label 'us'"),
        (["pull", "file:///etc/passwd", "--host", "gpu-1"], 2, "no http or https URL"),
        (["pull", "http://127.0.0.1:1/x.gguf", "--host", "gpu-1"], 2, "Nobody says what this file should contain"),
        (["pull", "http://127.0.0.1:1/x.gguf", "--host", "gpu-1", "--sha256", "abc"], 2, "no SHA-256"),
        (["verify", "nothing", "--host", "gpu-1"], 2, "There is no model 'nothing'"),
        (["cancel", "nothing", "--host", "gpu-1"], 2, "There is no job"),
        (["list", "--host", "gone"], 5, "does not answer"),
    ],
)
def test_bad_input_says_what_to_do_next(quantdeck: Command, arguments: list[str], code: int, words: str) -> None:
    done = quantdeck(*arguments)
    assert done.returncode == code, done
    said = done.stdout + done.stderr
    assert words in said
    assert "next:" in said
    assert "Traceback" not in said
