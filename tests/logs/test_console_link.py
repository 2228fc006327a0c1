"""A console's own link to an agent follows logs beside its events, and goes on after the agent was gone."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.log_follow import HostLogs
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.log_text import HostLine
from quantdeck_core.protocol.events import Event
from support.agents import agent
from support.ssh import Keys, with_own_ssh
from support.waiting import eventually


@pytest.mark.parametrize("way", ["socket", "ssh"])
async def test_logs_go_on_over_the_link_of_the_events(way: str, tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        host = Host(name="here", socket=str(one.socket("viewer")))
        if way == "ssh":
            keys = Keys(tmp_path, role="viewer")
            port = await with_own_ssh(one, keys)
            one.arguments = tuple(text.replace("127.0.0.1:0", f"127.0.0.1:{port}") for text in one.arguments)
            host = keys.host(port, one.socket("viewer"))
        log = one.folder / "state" / "logs" / "engine-a.1.log"
        log.write_text("old\n")
        fleet, seen, links = SshFleet(Fleet(host=(host,))), list[str](), list[str]()

        def listen(_host: str, update: Event | LinkChange) -> None:
            if isinstance(update, LinkChange):
                links.append(update.state)

        async def sink(lines: list[HostLine]) -> None:
            seen.extend(line.line.text if line.line else line.note.partition(":")[0] for line in lines)

        logs = HostLogs(host.name, partial(fleet.ask, host.name), ["a"], 5, sink)
        tasks = [asyncio.create_task(fleet.run(listen)), asyncio.create_task(logs.follow())]
        try:
            await eventually(lambda: "old" in seen)
            with log.open("a") as out:
                out.write("new\n")
            await eventually(lambda: "new" in seen)
            one.kill()
            await eventually(lambda: "lost" in links and seen[-1] == "link lost")
            with log.open("a") as out:
                out.write("meanwhile\n")
            await one.again()
            await eventually(lambda: "meanwhile" in seen, seconds=40.0)
            with log.open("a") as out:
                out.write("after\n")
            await eventually(lambda: "after" in seen)
            text = [line for line in seen if "link" not in line]
            assert text == ["old", "new", "meanwhile", "after"]
        finally:
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in done), done
