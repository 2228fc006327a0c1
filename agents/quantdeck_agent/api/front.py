"""The agent's doors: Unix sockets with HTTP behind them, and SSH where the host has no sshd."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette

from quantdeck_agent.api.sockets import listen
from quantdeck_agent.options import SshOptions
from quantdeck_agent.paths import ROLES, Paths

if TYPE_CHECKING:
    from quantdeck_agent.api.ssh import SshDoor

KEEP_ALIVE_S = 75
"""An idle connection is kept longer than any console keeps it, so that none is closed under a request."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon decides when to end."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()

    async def main_loop(self) -> None:
        """Its own looks ten times a second whether it should end; this one is cancelled."""
        second = 0
        while not await self.on_tick(10 * second):
            second += 1
            await asyncio.sleep(1)


class Front:
    """Opens before anything is started, so that a taken socket or a missing key leaves nothing half done."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._listeners: list[socket.socket] = []
        self._door: SshDoor | None = None
        self.ssh_port: int | None = None

    async def open(self, ssh: SshOptions | None) -> None:
        """Take the sockets, and the SSH port where one is wanted.

        Raises:
            InputError: a path too long for a socket, a key that cannot be read, a port that is taken.
        ConflictError: another agent listens there.
        """
        for role in ROLES:
            self._listeners.append(listen(self._paths.socket(role)))
        if ssh:
            from quantdeck_agent.api.ssh import SshDoor  # 20 MiB that hosts with an sshd never need

            self._door = SshDoor(self._paths)
            self.ssh_port = await self._door.start(ssh.host, ssh.port, ssh.host_key, ssh.authorized_keys)

    async def serve(self, app: Starlette) -> None:
        """Answer until cancelled."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",
            ws="none",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
        )
        await _Server(config).serve(sockets=self._listeners)

    async def close(self) -> None:
        """Close every door, and remove the sockets that this agent made."""
        if self._door:
            await self._door.stop()
        for listener, role in zip(self._listeners, ROLES, strict=False):
            listener.close()
            self._paths.socket(role).unlink(missing_ok=True)
