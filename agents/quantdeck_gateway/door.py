"""Accepts clients, and only as many as there are descriptors for: others wait in the kernel's queue."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from collections.abc import Callable, Sized
from contextlib import suppress

from quantdeck_gateway.limits import RESTING_CONNECTIONS
from quantdeck_gateway.sockets import BACKLOG

_SPARE = 16 + RESTING_CONNECTIONS
"""Descriptors for the control socket, the config's file and starting processes, and for connections that rest."""
_POLL_S = 0.02
_SAY_S = 60.0
_SLACK = 2
"""So many must have left before others are let in: a door that moves for each client would be busy with itself."""

log = logging.getLogger("quantdeck.gateway")


def allow_many_files() -> None:
    """Two descriptors a stream: the usual soft limit of 1,024 would end at 500 streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room_for_clients() -> int:
    """How many clients the descriptors that are left are enough for: each may need one more, to an engine."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return 1 << 30
    used = len(os.listdir("/proc/self/fd"))
    return max(1, (limit - used - _SPARE) // 2)


class Door:
    """Listening sockets whose clients this process takes.

    Running into the limit instead would have the loop accept and drop what waits (libuv does so), and engines
    would look unreachable.

    Args:
        clients: who is inside.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.Protocol], clients: Sized
    ) -> None:
        self._loop, self._factory, self._clients = loop, factory, clients
        self._servers: dict[socket.socket, asyncio.Server | None] = {}
        self._most = 0
        self._full = False
        self._said = -_SAY_S
        self._task: asyncio.Task[None] | None = None

    async def open(self, listener: socket.socket) -> None:
        """Accept from a socket too; it stays the caller's."""
        self._servers[listener] = None
        if not self._most:
            self._most = room_for_clients()
        if not self._full:
            await self._serve(listener)

    def close(self, listener: socket.socket) -> None:
        """Accept from it no more."""
        server = self._servers.pop(listener, None)
        if server is not None:
            server.close()

    def close_all(self) -> None:
        """Accept no more."""
        for listener in list(self._servers):
            self.close(listener)
        if self._task is not None:
            self._task.cancel()

    async def _serve(self, listener: socket.socket) -> None:
        # Of a copy: a server that is closed closes its socket, and what waits there would be refused.
        copy = listener.dup()
        server = await self._loop.create_server(self._enter, sock=copy, backlog=BACKLOG)
        if self._servers.get(listener, server) is not None or self._full:
            server.close()  # closed, or full, meanwhile
        else:
            self._servers[listener] = server

    def _enter(self) -> asyncio.Protocol:
        if len(self._clients) + 1 >= self._most and not self._full:
            self._full = True
            self._loop.call_soon(self._shut)
        return self._factory()

    def _shut(self) -> None:
        if self._loop.time() - self._said >= _SAY_S:
            self._said = self._loop.time()
            log.warning("%d clients: there are no descriptors for more (ulimit -n); others wait", len(self._clients))
        for listener, server in self._servers.items():
            if server is not None:
                server.close()
                self._servers[listener] = None
        self._task = self._loop.create_task(self._open_again())

    async def _open_again(self) -> None:
        while len(self._clients) > max(0, self._most - 1 - _SLACK):
            await asyncio.sleep(_POLL_S)
        self._full = False
        for listener in list(self._servers):
            await self._serve(listener)
