"""`quantdeck canary`, `latency` and `ask` with a real agent, real engines, and an experiment under them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.canary import Ask, MeasureLatency, RunCanary
from quantdeck_core.protocol.requests import CreateExperiment, Deploy
from support.agents import AgentProcess, agent
from support.traffic import traffic

PROMPTS = ("their boat, our ferry, our", "The keeper trims the great lamp.", "The ferry crosses the bay.")
SECRET = "marmalade-7741"


@pytest.fixture
async def host(demo_models: Path, tmp_path: Path) -> AsyncIterator[tuple[AgentProcess, Path]]:
    """An agent with the experiment `e` on it, and a fleet file that names it."""
    async with agent(demo_models, "--gateway", "127.0.0.1:0") as one:
        fleet = tmp_path / "fleet.toml"
        fleet.write_text(f'[[host]]\nname = "here"\nsocket = "{one.socket()}"\n')
        client = one.client()
        for profile, name in (("demo-f16", "control"), ("demo-q8", "treatment")):
            await _deploy(one, profile, name)
        wish = CreateExperiment(
            request_id="c",
            name="e",
            control="control",
            treatment="treatment",
            canary=CanarySettings(prompts=PROMPTS, every="1d"),
        )
        await client.create_experiment(wish)
        await client.close()
        yield one, fleet


async def _deploy(one: AgentProcess, profile: str, name: str, *, replace: bool = False) -> None:
    client = one.client()
    wish = Deploy(request_id=f"{name}-{profile}", profile=load_profile(profile), name=name, replace=replace)
    await wait_until_ready(client, name, (await client.deploy(wish)).operation)
    await client.close()


async def run(fleet: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "quantdeck", *arguments],
        env={**os.environ, "QUANTDECK_FLEET": str(fleet)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


async def test_a_canary_from_the_command_line(host: tuple[AgentProcess, Path]) -> None:
    one, fleet = host
    passed = await run(fleet, "canary", "e", "--json")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    state = json.loads(passed.stdout)["here"]
    assert (state["report"]["outcome"], state["report"]["prompts"], state["current"]) == ("passed", 3, True)
    text = await run(fleet, "canary", "e", "--last")
    assert text.stdout.startswith("here: PASSED: Mean KL divergence from the control is ")
    assert "3 prompts in " in text.stdout

    await _deploy(one, "demo-damaged", "treatment", replace=True)
    failed = await run(fleet, "canary", "e")
    assert failed.returncode == 3
    assert failed.stdout.startswith("here: FAILED: ")
    assert "next: " in failed.stdout


async def test_latencies_from_the_command_line(host: tuple[AgentProcess, Path]) -> None:
    _, fleet = host
    measured = await run(fleet, "latency", "e", "--json")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    levels = json.loads(measured.stdout)["here"]["treatment"]["levels"]
    assert [level["concurrency"] for level in levels] == [1, 2, 4, 8]
    text = await run(fleet, "latency", "e", "--last")
    assert "  treatment treatment." in text.stdout
    assert "    8 at once: first token " in text.stdout
    refused = await run(fleet, "latency", "e", "--arm", "control")
    assert refused.returncode == 3
    assert "The control of e has users, who would feel it." in refused.stdout


async def test_how_long_users_wait_from_the_command_line(host: tuple[AgentProcess, Path]) -> None:
    one, fleet = host
    async with asyncio.timeout(30):
        while (before := await run(fleet, "latency", "e", "--live")).returncode:
            assert before.stdout == "here: the gateway of this host has told nothing of this experiment yet\n"
    assert before.stdout.startswith("here: at the gateway, at most 5 min\n")
    assert "no request was answered in this time" in before.stdout
    gateway = json.loads(one.ready_file.read_bytes())["gateway"]
    async with traffic(f"http://{gateway}", users=2), asyncio.timeout(30):
        counted: dict[str, Any] = {"percentiles": None}
        while counted["percentiles"] is None:
            told = json.loads((await run(fleet, "latency", "e", "--live", "--json")).stdout)["here"]
            counted = told["control"]["ttft"]["recent"]
    assert told["experiment"] == "e"
    assert len(counted["counts"]) == len(told["control"]["ttft"]["bounds_s"]) + 1
    text = (await run(fleet, "latency", "e", "--live", "--whole")).stdout
    assert text.startswith("here: since the gateway counts, whatever served\n")
    assert "\nTTFT  to the first event of a stream" in text
    assert "#" in text
    both = await run(fleet, "latency", "e", "--live", "--last")
    assert both.returncode == 2


async def test_both_arms_are_asked_and_nothing_of_it_is_kept(host: tuple[AgentProcess, Path]) -> None:
    one, fleet = host
    asked = await run(fleet, "ask", "e", f"Who rings the {SECRET} bell?", "--both", "--max-tokens", "40", "--json")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    answer = json.loads(asked.stdout)["here"]
    assert [arm["variant"] for arm in answer["arms"]] == ["control", "treatment"]
    assert all(arm["text"] and arm["signals"]["words"] for arm in answer["arms"])
    only = await run(fleet, "ask", "e", "-", "--arm", "treatment", stdin=f"Who rings the {SECRET} bell?")
    assert only.returncode == 0
    assert "-- treatment treatment." in only.stdout
    assert "control" not in only.stdout
    files = [file for file in one.folder.rglob("*") if file.is_file()]
    assert len(files) > 5
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


async def test_an_experiment_that_is_not_there_is_named(host: tuple[AgentProcess, Path]) -> None:
    _, fleet = host
    for command in (("canary", "nosuch"), ("latency", "nosuch"), ("ask", "nosuch", "Hello")):
        refused = await run(fleet, *command)
        assert refused.returncode == 2
        assert "No experiment 'nosuch'" in refused.stderr


async def test_viewers_see_and_do_not_ask(host: tuple[AgentProcess, Path]) -> None:
    one, _ = host
    client = CanaryClient("test", httpx.AsyncHTTPTransport(uds=str(one.socket("viewer"))))
    assert (await client.canary("e")).runs >= 0
    assert (await client.latency("e")).treatment is None
    for forbidden in (
        client.run_canary("e", RunCanary(request_id="1")),
        client.measure_latency("e", MeasureLatency(request_id="2")),
        client.ask_arms("e", Ask(request_id="3", prompt="Hello")),
    ):
        with pytest.raises(RemoteError) as caught:
            await forbidden
        assert caught.value.status == 403
    for path in ("canary", "latency"):
        with pytest.raises(RemoteError, match="No experiment is called 'x' here"):
            await client.get(f"/v1/experiments/x/{path}", MeasureLatency)
    await client.close()
