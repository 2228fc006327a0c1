"""Several gateways, one experiment: hosts that cannot be reached while it is rolled back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.rollout.wish import Wish
from support.deck import Deck, deck
from support.played_engine import PlayedEngine
from support.ssh import Keys, Way, way_to
from support.waiting import eventually


@dataclass
class Rack:
    """Hosts with an experiment `e` at 10 % each, and whoever looks after them."""

    folder: Path
    hosts: dict[str, Deck]
    lines: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        fleet, state = str(self.folder / "fleet.toml"), str(self.folder / "home")
        return os.environ | {"QUANTDECK_FLEET": fleet, "XDG_STATE_HOME": state}

    @property
    def pending(self) -> tuple[Wish, ...]:
        file = self.folder / "home" / "quantdeck" / "pending.json"
        return msgspec.json.decode(file.read_bytes(), type=tuple[Wish, ...]) if file.exists() else ()

    async def run(self, *argv: str) -> tuple[int, str]:
        """A command to its end: exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "quantdeck", *argv, env=self.environment, stdout=subprocess.PIPE
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    @contextlib.contextmanager
    def guard(self) -> Iterator[Guarding]:
        """A guard of its own process."""
        file = self.folder / "guard.jsonl"
        with file.open("ab") as out:
            argv = [sys.executable, "-m", "quantdeck", "guard", "--json"]
            process = subprocess.Popen(argv, env=self.environment, stdout=out)
        try:
            yield Guarding(process, file)
        finally:
            process.kill()
            process.wait()

    async def latched(self, host: str) -> ExperimentStatus:
        """The experiment there, once it is rolled back."""

        def found(status: HostStatus) -> bool:
            return status.experiments[0].state.latched and status.experiments[0].effective

        return (await self.hosts[host].when(found, 40)).experiments[0]

    async def rollbacks(self, host: str) -> int:
        """How often it was rolled back there, and cleared again."""
        return sum(line.kind == "rollback" for line in (await self.hosts[host].state()).timeline)


@dataclass
class Guarding:
    """A guard, and what it has said."""

    process: subprocess.Popen[bytes]
    file: Path

    async def says(self, event: str, host: str, more: str = "") -> dict[str, Any]:
        """Wait for an event."""

        def found() -> dict[str, Any] | None:
            events = [json.loads(line) for line in self.file.read_text().splitlines()]
            fits = [one for one in events if (one["event"], one.get("host", "")) == (event, host)]
            return next((one for one in fits if more in one["text"]), None)

        return await eventually(found, 40, f"the guard to say {event} of {host}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@contextlib.asynccontextmanager
async def rack(models: Path, folder: Path, names: tuple[str, ...], *arguments: str) -> AsyncIterator[Rack]:
    async with contextlib.AsyncExitStack() as stack:
        hosts = {name: await stack.enter_async_context(deck(models, *arguments)) for name in names}
        played = PlayedEngine(folder / "engine")
        for one in hosts.values():
            await one.deploy(played.profile(), "control")
            await one.deploy(played.profile(), "treatment")
            await one.experiment("control", "treatment", weight_bp=1_000)
        lines = [f'[[host]]\nname = "{name}"\nsocket = "{one.agent.socket()}"\n' for name, one in hosts.items()]
        (folder / "fleet.toml").write_text("\n".join(lines))
        yield Rack(folder, hosts)


async def test_a_rollback_on_k_of_n_gateways_is_pending_until_a_guard_has_finished_it(
    demo_models: Path, tmp_path: Path
) -> None:
    async with rack(demo_models, tmp_path, ("a", "b", "c")) as it:
        with it.hosts["c"].hung():
            code, said = await it.run("rollback", "e", "--reason", "odd answers")
            assert code == 4
            assert {line.partition(":")[0]: "PENDING" in line for line in said.splitlines()} == {
                "a": False, "b": False, "c": True,
            }  # fmt: skip
            assert "`quantdeck guard` carries it out" in said
            [wish] = it.pending
            assert (wish.host, wish.reason) == ("c", "odd answers")
            assert (await it.latched("a")).state.reason == (await it.latched("b")).state.reason == "odd answers"
            with it.guard() as first:
                await first.says("pending", "c")
                first.process.kill()
            assert wish in it.pending
        with it.guard() as guard:
            state = (await it.latched("c")).state
            assert state.reason in ("odd answers", "rolled back on a: odd answers", "rolled back on b: odd answers")
            await guard.says("effective", "c")
            await eventually(lambda: it.pending == (), what="nothing is pending any more")
            assert guard.end() == 0
        assert [await it.rollbacks(host) for host in it.hosts] == [1, 1, 1]


async def test_what_one_agent_rolls_back_reaches_all_and_a_clear_holds(demo_models: Path, tmp_path: Path) -> None:
    async with rack(demo_models, tmp_path, ("a", "b", "c")) as it:
        a, b, c = it.hosts.values()
        with it.guard() as guard:
            for host in it.hosts:
                await guard.says("link", host, "watched")
            with c.hung():
                await a.roll_back("loops")
                assert (await it.latched("b")).state.reason == "rolled back on a: loops"
                await b.clear()
            assert (await it.latched("c")).state.reason == "rolled back on a: loops"
            # The guard has looked at b since it was cleared: what it carried to c came later.
            assert not (await b.state()).state.latched
            await a.clear()
            await c.clear()
            await b.roll_back("loops again")
            assert (await it.latched("a")).state.reason == "rolled back on b: loops again"
            assert (await it.latched("c")).state.reason == "rolled back on b: loops again"
            await eventually(lambda: it.pending == (), what="nothing is pending any more")
            assert guard.end() == 0
        assert [await it.rollbacks(host) for host in it.hosts] == [2, 2, 2]
        assert (await it.run("guard", "--once"))[0] == 0


async def test_a_link_that_is_cut_leaves_a_wish_that_the_same_command_or_a_guard_finishes(
    demo_models: Path, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    ssh = ("--ssh-listen", "127.0.0.1:0", "--ssh-host-key", str(keys.host_key))
    async with rack(demo_models, tmp_path, ("near", "far"), *ssh, "--ssh-authorized-keys", str(keys.authorized)) as it:
        far = it.hosts["far"]
        port: int = msgspec.json.decode(far.agent.ready_file.read_bytes())["ssh_port"]
        async with way_to(port) as way:
            over_ssh(it, keys, way)
            way.close()
            code, said = await it.run("rollback", "e", "--reason", "odd", "--json")
            assert code == 4
            outcome = json.loads(said)["far"]
            assert outcome["error"]["code"] == "unreachable"
            [first] = it.pending
            assert outcome["pending"]["request_id"] == first.request_id
            assert (await it.run("rollback", "e", "--reason", "still odd"))[0] == 4
            [second] = it.pending
            assert (second.request_id, second.reason) == (first.request_id, "still odd")
            assert (await it.run("guard", "--once"))[0] == 4
            assert not (await far.state()).state.latched
            await way.open()
            assert (await it.run("guard", "--once"))[0] == 0
            assert (await far.state()).state.latched
            assert it.pending == ()
            assert await it.rollbacks("far") == 1


async def test_a_wish_that_the_world_has_passed_is_dropped(demo_models: Path, tmp_path: Path) -> None:
    async with rack(demo_models, tmp_path, ("a",)) as it:
        with it.hosts["a"].hung():
            assert (await it.run("rollback", "e", "--reason", "odd"))[0] == 4
        await it.hosts["a"].roll_back("somebody was faster")
        await it.hosts["a"].clear()
        code, said = await it.run("guard", "--once")
        assert code == 0
        assert "not carried out: somebody has cleared" in said
        assert not (await it.hosts["a"].state()).state.latched


def over_ssh(it: Rack, keys: Keys, way: Way) -> None:
    """From now on the second host is reached through a relay."""
    keys.know(way.port)
    near, far = it.hosts.values()
    it.folder.joinpath("fleet.toml").write_text(
        f'[[host]]\nname = "near"\nsocket = "{near.agent.socket()}"\n'
        f'[[host]]\nname = "far"\nssh = "anyone@127.0.0.1:{way.port}"\nsocket = "{far.agent.socket()}"\n'
        f'identity = "{keys.identity}"\nknown_hosts = "{keys.known_hosts}"\n'
    )
