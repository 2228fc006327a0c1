"""A console in a real terminal, two hosts with real engines behind OpenSSH's server, and users on both."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import tomli_w

from quantdeck_core.rollout.wish import Wish
from support.agents import short_folder
from support.deck import Deck, changed, deck
from support.ssh import Keys, openssh
from support.tmux import Tmux, terminal
from support.traffic import Traffic, traffic

HOSTS = ("rack-1", "rack-2")
HALF_BP = 5_000


@dataclass
class Scene:
    """What a test has.

    Attributes:
        hosts: by name, each with experiment `e`, half of whose users are on the treatment.
        users: those of each host.
        keys: what sshd and the console know.
        port: sshd's.
    """

    folder: Path
    hosts: Mapping[str, Deck]
    users: Mapping[str, Traffic]
    keys: Keys
    port: int

    @property
    def pending(self) -> tuple[Wish, ...]:
        """Rollbacks that are kept on this machine."""
        file = self.folder / "state" / "quantdeck" / "pending.json"
        return msgspec.json.decode(file.read_bytes(), type=tuple[Wish, ...]) if file.exists() else ()

    def environment(self, port: int = 0) -> dict[str, str]:
        """Of a shell that has `quantdeck` on its path and a fleet file of both hosts.

        Args:
            port: where SSH is, if that is not sshd itself.
        """
        self.keys.know(port or self.port)
        tables = [
            msgspec.structs.asdict(self.keys.host(port or self.port, host.agent.socket(), getpass.getuser()))
            | {"name": name}
            for name, host in self.hosts.items()
        ]
        fleet = self.folder / "fleet.toml"
        fleet.write_text(tomli_w.dumps({"host": tables}))
        return environment(self.folder) | {"QUANTDECK_FLEET": str(fleet)}

    async def weights(self) -> dict[str, int]:
        """The treatment's share at each gateway, in basis points, as the gateways themselves say."""
        return {name: (await host.gateway_status()).routes[0].weight_bp for name, host in self.hosts.items()}

    async def rollbacks(self) -> dict[str, int]:
        """How often each host was rolled back."""
        states = {name: await host.state() for name, host in self.hosts.items()}
        return {name: sum(line.kind == "rollback" for line in state.timeline) for name, state in states.items()}


def environment(folder: Path) -> dict[str, str]:
    """Of a local shell with `quantdeck` on its path, and no state but what is in the folder."""
    of_ssh = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
    mine = {name: value for name, value in os.environ.items() if name not in of_ssh}
    path = os.pathsep.join((str(Path(sys.executable).parent), mine.get("PATH", "")))
    return mine | {"PATH": path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": str(folder / "state")}


@contextlib.asynccontextmanager
async def scene(models: Path) -> AsyncIterator[Scene]:
    """Everything but the console; all of it is gone afterwards."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(short_folder())
        hosts = {name: await stack.enter_async_context(deck(models)) for name in HOSTS}
        for host in hosts.values():
            await host.begin(changed(), "control")
            await host.begin(changed("demo-q8"), "treatment")
        for host in hosts.values():
            await host.until("ready", "control")
            await host.until("ready", "treatment")
            await host.experiment("control", "treatment", HALF_BP)
        users = {
            name: await stack.enter_async_context(traffic(host.gateway, 4, max_tokens=16))
            for name, host in hosts.items()
        }
        keys = Keys(folder)
        port = await stack.enter_async_context(openssh(folder, keys))
        yield Scene(folder, hosts, users, keys, port)


@dataclass
class Screen:
    """A console in a terminal.

    Attributes:
        pressed: keys, in order.
    """

    tmux: Tmux
    pressed: list[str] = field(default_factory=list)

    @property
    def process(self) -> psutil.Process:
        """The console's."""
        [process] = psutil.Process(int(self.tmux.asked("pane_pid"))).children()
        return process

    def press(self, *keys: str) -> None:
        """Press keys, at once after each other."""
        self.pressed += keys
        self.tmux.keys(*keys)

    async def ask(self, *words: str) -> None:
        """Open the rollback's dialog and wait until it takes a `y`."""
        self.press("R")
        await self.tmux.shows("roll back e", "y roll back   n Esc cancel", *words)
        await self.armed()

    async def armed(self) -> None:
        """Wait until the key of the dialog is bright."""
        await self.tmux.until(lambda: re.search(_bright(" y"), self.tmux.styled), "a bright y")

    async def reached(self, host: str) -> None:
        """Wait until the dialog shows that a host answers, and so that there is a channel to it."""
        row = re.compile(f"{_bright(host)}.*50/50 -> 100/0")
        await self.tmux.until(lambda: row.search(self.tmux.styled), f"a bright {host}")

    async def close(self, key: str = "Escape") -> str:
        """Close the dialog; what is on the screen then."""
        self.press(key)
        return await self.tmux.hides("roll back e \N{BOX DRAWINGS LIGHT HORIZONTAL}")


def _bright(text: str) -> str:
    """Bold and in a colour."""
    return rf"\x1b\[1m\x1b\[[\d;]+m{text}\x1b\[0m"


@contextlib.asynccontextmanager
async def console(
    folder: Path, variables: Mapping[str, str], columns: int = 80, rows: int = 24
) -> AsyncIterator[Screen]:
    """`quantdeck console` in a terminal; the shell that it was typed into is there when it ends."""
    async with terminal(folder, variables, columns, rows) as tmux:
        tmux.line("quantdeck console; echo exit status $?")
        yield Screen(tmux)
