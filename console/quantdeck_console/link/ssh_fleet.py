"""The fleet as screens and commands use it: every host connected, watched, and connected again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from quantdeck_console.link.connect import LinkRefusedError, client_of
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.interface import Listener
from quantdeck_core.errors import QuantdeckError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.host import PROTOCOL

if TYPE_CHECKING:
    from quantdeck_console.link.deck_client import DeckClient

T = TypeVar("T")

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 10.0


class SshFleet:
    """A `FleetLink` over SSH (or a local socket) to each host."""

    def __init__(self, fleet: Fleet) -> None:
        self._hosts = {host.name: host for host in fleet.host}
        self._clients: dict[str, DeckClient] = {}
        self._wanted = {name: asyncio.Event() for name in self._hosts}

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names, in the order of the fleet file."""
        return tuple(self._hosts)

    async def run(self, listener: Listener) -> None:
        """Keep every host connected until cancelled."""
        await asyncio.to_thread(_load, any(host.ssh for host in self._hosts.values()))
        async with asyncio.TaskGroup() as group:
            for host in self._hosts.values():
                group.create_task(self._keep(host, listener))

    async def _keep(self, host: Host, listener: Listener) -> None:
        from quantdeck_console.link.deck_client import DeckClient

        pause = FIRST_RETRY_S
        while True:
            listener(host.name, LinkChange(state="connecting"))
            hasty = True
            try:
                async with client_of(host, DeckClient) as client:
                    pause = await self._watch(host, client, listener)
            except LinkRefusedError as error:
                listener(host.name, LinkChange(state="refused", detail=f"{error.detail} {error.hint}"))
                pause, hasty = LAST_RETRY_S, False
            except QuantdeckError as error:
                listener(host.name, LinkChange(state="lost", detail=error.detail))
            await self._rest(host.name, pause) if hasty else await asyncio.sleep(pause)
            pause = min(LAST_RETRY_S, pause * 2)

    async def _rest(self, host: str, pause: float) -> None:
        """Wait before the next try, less where somebody asks something of this host."""
        wanted = self._wanted[host]
        wanted.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await wanted.wait()

    async def _watch(self, host: Host, client: DeckClient, listener: Listener) -> float:
        """Pass on events until the link breaks; returns the pause before the next try."""
        version = await client.version()
        read_only = version.protocol != PROTOCOL
        detail = f"agent speaks protocol {version.protocol}, this console {PROTOCOL}: read-only" if read_only else ""
        listener(host.name, LinkChange(state="connected", detail=detail, role=version.role, read_only=read_only))
        self._clients[host.name] = client
        try:
            async for event in client.events():
                listener(host.name, event)
        finally:
            del self._clients[host.name]  # before it is closed
        listener(host.name, LinkChange(state="lost", detail="the agent ended the connection"))
        return FIRST_RETRY_S

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        """Make a call to one host's agent.

        Raises:
            QuantdeckError: as `FleetLink.ask`.
        """
        client = self._clients.get(host)
        if client is None:
            self._wanted[host].set()
            raise UnreachableError(f"{host} is not connected.", "It is connected again as soon as it answers.")
        return await call(client)


def _load(ssh: bool) -> None:
    """Import what connects, 60 ms and 150 ms more for SSH: in a thread, so that keys are answered meanwhile."""
    import_module("quantdeck_console.link.deck_client")
    if ssh:
        import_module("asyncssh")
