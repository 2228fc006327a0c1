"""Pages of a real agent: killed with one undelivered, asked over its socket, taken from the command line."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quantdeck_console.commands import alerts as command
from quantdeck_console.link.alert_client import AlertClient
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.alerts import Acknowledge, Page
from support.agents import AgentProcess, short_folder
from support.receiver import Answer, Receiver, receiver
from support.waiting import eventually

SECRET = "c4nary-pa7h"


@contextlib.contextmanager
def telling(server: Receiver, models: Path) -> Iterator[AgentProcess]:
    """An agent that tells a server of all alarms; not started yet."""
    with short_folder() as folder:
        file = folder / "alerts.toml"
        file.write_text(f'[[webhook]]\nkind = "json"\nlevels = ["warn", "fail"]\nurl = "{server.url(f"/{SECRET}")}"\n')
        file.chmod(0o600)
        one = AgentProcess(folder, models, "--alerts", str(file))
        try:
            yield one
        finally:
            one.end_everything()


async def taken(one: AgentProcess, ask: Acknowledge, role: str = "operator") -> Page:
    client = AlertClient("test", httpx.AsyncHTTPTransport(uds=str(one.socket(role))))
    try:
        return await client.acknowledge(1, ask)
    finally:
        await client.close()


async def lose_the_database(one: AgentProcess) -> None:
    """What an agent raises an alarm about when it is started again: it makes it anew from its journal."""
    await one.start()
    one.kill()
    for file in (one.folder / "state").glob("agent.db*"):
        file.unlink()
    await one.start()


async def test_a_page_outlives_a_killed_agent_and_is_taken_once(tmp_path: Path) -> None:
    async with receiver() as server:
        server.always = Answer(500)
        with telling(server, tmp_path) as one:
            await lose_the_database(one)
            await eventually(lambda: server.seen, what="the first attempt")
            one.kill()
            server.always = Answer()
            failed = len(server.seen)
            await one.start()
            await eventually(lambda: len(server.seen) > failed)
            assert (server.bodies[-1]["action"], server.bodies[-1]["page"]["id"]) == ("trigger", 1)
            with pytest.raises(RemoteError, match="role operator"):
                await taken(one, Acknowledge(request_id="v"), "viewer")
            ask = Acknowledge(request_id="a", by="a\x1bda")
            first, again = [await taken(one, ask) for _ in ("sent", "sent again")]
            assert first == again
            assert first.outcome == "acknowledged by ada"
            await eventually(lambda: server.bodies[-1]["action"] == "resolve")
            assert SECRET not in one.log()


async def test_pages_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with receiver() as server:
        with telling(server, tmp_path) as one:
            await lose_the_database(one)
            await eventually(lambda: server.seen)
            fleet = tmp_path / "fleet.toml"
            fleet.write_text(f'[[host]]\nname = "here"\nsocket = "{one.socket()}"\n')

            async def run(*arguments: str) -> str:
                code = await asyncio.to_thread(command.main, [*arguments, "--fleet", str(fleet)])
                assert code == 0
                return capsys.readouterr().out

            assert "nobody has it" in await run("list")
            page = json.loads(await run("snooze", "1", "30m", "--json"))
            assert page["snoozed_until"] > page["began"]
            assert "for another 29 min" in await run("list")
            assert "handed over to bo" in await run("handover", "1", "bo", "--note", "look at the disk")
            assert "handed over to bo, who has not acknowledged it" in await run("list")
            assert "acknowledged by" in await run("ack", "1", "--host", "here")
            assert await run("list") == "no pages\n"
            listed: dict[str, Any] = json.loads(await run("list", "--json"))
            assert (listed["here"]["pages"][0]["owner"], listed["here"]["receivers"][0]["name"]) == ("bo", "json-1")
            actions = ["trigger", "snooze", "handover", "resolve"]
            await eventually(lambda: [body["action"] for body in server.bodies] == actions)
