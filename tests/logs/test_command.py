"""`quantdeck logs` across real agents: streams, lost links, new engines, exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec

from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.link.log_choice import chosen
from quantdeck_console.plain.logs import coloured, printed
from quantdeck_console.profile_source import load_profile
from quantdeck_core.fleet.log_text import HostLine
from quantdeck_core.protocol.logs import LogLine, LogSource
from quantdeck_core.protocol.requests import Deploy
from support.agents import AgentProcess, agent
from support.waiting import eventually


class Fleet:
    """A fleet file of agents on this machine, and the command on it."""

    def __init__(self, folder: Path, hosts: dict[str, Path]) -> None:
        self.file = folder / "fleet.toml"
        self.file.write_text("".join(f'[[host]]\nname = "{name}"\nsocket = "{path}"\n' for name, path in hosts.items()))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "quantdeck", "logs", *arguments, "--fleet", str(self.file)]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = await asyncio.to_thread(process.communicate)
        return process.returncode, out, err


class Following:
    """`quantdeck logs --follow` with what it printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, list[str]()
        self._reading = asyncio.create_task(asyncio.to_thread(self._read))

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    async def until(self, part: str, count: int = 1) -> None:
        await eventually(
            lambda: sum(part in line for line in self.lines) >= count, what=f"{part!r} in {self.lines[-5:]}"
        )

    async def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = await asyncio.to_thread(self.process.wait, 15)
        await self._reading
        return code


@contextlib.asynccontextmanager
async def following(fleet: Fleet, *arguments: str) -> AsyncIterator[Following]:
    process = fleet.start("--follow", *arguments)
    try:
        yield Following(process)
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def write(one: AgentProcess, text: str, name: str = "engine-a.1.log") -> None:
    with (one.folder / "state" / "logs" / name).open("a") as out:
        out.write(text)


async def test_two_hosts_at_once_and_a_third_that_is_away(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one, agent(demo_models) as two:
        fleet = Fleet(tmp_path, {"one": one.socket(), "two": two.socket(), "away": tmp_path / "none.sock"})
        write(one, "first\nsecond\n\u2028third\x1b[2J\n")
        write(two, "other\n")
        everywhere, as_json, unknown, listed, away, default = await asyncio.gather(
            fleet.run("a", "--lines", "2"),
            fleet.run("a", "--host", "two", "--json"),
            fleet.run("nosuch", "--host", "one", "--host", "two"),
            fleet.run("--list", "--json", "--host", "one"),
            fleet.run("--host", "away"),
            fleet.run("--host", "one"),
        )
        assert everywhere[0] == 5
        assert sorted(line for line in everywhere[1].split("\n") if " | " in line) == [
            "one engine:a.1 |  third[2J",  # a line separator would be one on some terminals: it is a space
            "one engine:a.1 | second",
            "two engine:a.1 | other",
        ]
        assert "away -- The agent of away does not answer" in everywhere[1]
        assert as_json[0] == 0
        assert json.loads(as_json[1]) == {
            "host": "two",
            "source": "engine:a.1",
            "line": {"source": "engine:a.1", "old": True, "text": "other"},
        }
        assert unknown[:2] == (2, "")
        assert "No host has a log 'nosuch'" in unknown[2]
        assert [source["source"] for source in json.loads(listed[1])[0]["sources"]] == ["agent", "engine:a.1"]
        assert away[0] == 5
        assert default[0] == 0
        assert "one agent | quantdeck.agent INFO agent test ready" in default[1]
        assert "engine:a.1" not in default[1]  # nobody wants that engine here


async def test_following_goes_on_through_a_lost_link_a_rotation_and_a_new_engine(
    tmp_path: Path, demo_models: Path
) -> None:
    async with agent(demo_models) as one, agent(demo_models) as two:
        fleet = Fleet(tmp_path, {"one": one.socket(), "two": two.socket()})
        write(one, "old\n")
        async with following(fleet, "--lines", "5", "--all") as out:
            await out.until("one engine:a.1 | old")
            write(one, "".join(f"line {number}\n" for number in range(300)))
            await out.until("one engine:a.1 | line 299")
            assert [line for line in out.lines if "| line" in line] == [
                f"one engine:a.1 | line {number}" for number in range(300)
            ]
            one.kill()
            await out.until("one -- link lost")
            write(one, "while away\n")
            write(two, "two goes on\n", "gateway.log")
            await out.until("two gateway | two goes on")
            await one.start()
            await out.until("one -- linked again")
            await out.until("one engine:a.1 | while away")
            write(one, "back\n")
            await out.until("one engine:a.1 | back")
            assert sum("| while away" in line for line in out.lines) == 1
            assert sum("| line 299" in line for line in out.lines) == 1
            assert not any("missing" in line for line in out.lines)
            assert await out.interrupt() == 0


async def test_an_engine_that_is_deployed_while_one_follows_is_followed(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        fleet = Fleet(tmp_path, {"one": one.socket()})
        async with following(fleet) as out:
            await out.until("one agent | ")
            client = one.client()
            ask = Deploy(request_id="1", by="test", profile=load_profile("demo-f16"), name="engine")
            await wait_until_ready(client, "engine", (await client.deploy(ask)).operation)
            await out.until("one engine:engine.1 | listening on http")
            await client.close()
            assert await out.interrupt() == 0


async def test_a_reader_that_stands_still_is_told_what_it_lost_and_costs_no_memory(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        write(one, "")
        transport = httpx.AsyncHTTPTransport(uds=str(one.socket("viewer")))
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=20) as http,
            http.stream("GET", "/v1/logs/engine:a.1?lines=0&follow=1") as answer,
        ):
            lines = answer.aiter_lines()
            assert msgspec.json.decode(await anext(lines), type=LogLine) == LogLine(source="engine:a.1")
            for _ in range(8):  # 24 MB that nobody reads
                write(one, "0.00.000.001 I a line of thirty characters\n" * 70_000)
                await asyncio.sleep(0.05)
            write(one, "0.00.000.001 I the end\n")
            lost = shown = 0
            async for raw in lines:
                line = msgspec.json.decode(raw, type=LogLine)
                lost, shown = lost + line.lost, shown + bool(line.text)
                if "the end" in line.text:
                    break
            assert lost + shown == 560_001
            assert lost > 0


async def test_bad_questions_get_clear_answers(demo_models: Path) -> None:
    async with agent(demo_models) as one:
        transport = httpx.AsyncHTTPTransport(uds=str(one.socket("viewer")))
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as http:
            for question, status in (
                ("nosuch", 404),
                ("engine:..agent.1", 404),
                ("agent?lines=-1", 400),
                ("agent?lines=many", 400),
                ("agent?lines=999999999", 200),
            ):
                answer = await http.get(f"/v1/logs/{question}")
                assert answer.status_code == status
                assert status == 200 or set(answer.json()) == {"code", "title", "detail", "hint"}


def test_which_logs_are_meant() -> None:
    there = [
        LogSource(source="agent", live=True),
        LogSource(source="engine:a.9", live=False),
        LogSource(source="engine:a.10", live=True),
        LogSource(source="engine:b.1", live=False),
    ]
    assert chosen([], there) == ["agent", "engine:a.10"]
    assert chosen([], there, everything=True) == [one.source for one in there]
    assert chosen(["a", "engine:b"], there) == ["engine:a.10", "engine:b.1"]
    assert chosen(["engine:a.9", "gateway", "c"], there) == ["engine:a.9"]


def test_how_lines_are_printed() -> None:
    line = HostLine(host="h\x1b[1m", source="agent", line=LogLine(source="agent", text="x", lost=1200, withheld=2))
    assert printed(line, colour=False) == [
        "h[1m agent -- 1,200 lines lost: they came faster than they could be shown",
        "h[1m agent -- 2 lines withheld: they can hold what users wrote",
        "h[1m agent | x",
    ]
    assert printed(HostLine(host="h", note="link lost"), colour=False) == ["h -- link lost"]
    assert printed(line, colour=True)[2].endswith("m | x")
    assert coloured({"TERM": "xterm"}, True)
    assert not any(
        coloured(environ, isatty)
        for environ, isatty in (
            ({"TERM": "xterm", "NO_COLOR": "1"}, True),
            ({"TERM": "dumb"}, True),
            ({"TERM": "xterm"}, False),
        )
    )
