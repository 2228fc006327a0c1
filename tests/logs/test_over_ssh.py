"""Many logs of one host are followed through one SSH connection."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from link.test_ssh import Keys, with_own_ssh
from quantdeck_console.commands.common import ask
from quantdeck_console.link.log_follow import HostLogs
from quantdeck_core.fleet.log_text import HostLine
from support.agents import agent
from support.waiting import eventually

MANY = 24


async def test_two_dozen_logs_of_one_host_are_followed_at_once(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        keys = Keys(tmp_path, role="viewer")
        port = await with_own_ssh(one, keys)
        logs = one.folder / "state" / "logs"
        for number in range(MANY):
            (logs / f"engine-e{number}.1.log").write_text(f"old {number}\n")
        seen: list[str] = []

        async def sink(lines: list[HostLine]) -> None:
            seen.extend(f"{line.source} {line.line.text}" if line.line else line.note for line in lines)

        host = keys.host(port, one.socket("viewer"))
        following = asyncio.create_task(HostLogs(host.name, partial(ask, host), [], 5, sink, everything=True).follow())
        try:
            expected = {f"engine:e{number}.1 old {number}" for number in range(MANY)}
            await eventually(lambda: expected <= set(seen), what="the ends of all logs")
            for number in range(MANY):
                with (logs / f"engine-e{number}.1.log").open("a") as out:
                    out.write(f"new {number}\n")
            expected = {f"engine:e{number}.1 new {number}" for number in range(MANY)}
            await eventually(lambda: expected <= set(seen), what="new lines of all logs")
            assert not any("link lost" in line for line in seen)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
