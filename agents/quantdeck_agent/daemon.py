"""The agent: composes its parts, runs them together, and ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Coroutine
from typing import Any

import msgspec
import uvicorn

from quantdeck_agent import __version__
from quantdeck_agent.api.app import Api
from quantdeck_agent.api.sockets import listen
from quantdeck_agent.engines.supervisor import Supervisor
from quantdeck_agent.experiments.manager import Experiments
from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.gateway.process import GatewayProcess
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.gateway.signals import answer_signals
from quantdeck_agent.hub import Hub
from quantdeck_agent.lifeline import wait_for_end
from quantdeck_agent.options import Options
from quantdeck_agent.paths import ROLES
from quantdeck_agent.store import Store
from quantdeck_agent.telemetry.host import HostSampler

SAMPLE_S = 1.0
KEEP_ALIVE_S = 75
log = logging.getLogger("quantdeck.agent")


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the ready file."""

    pid: int
    host: str
    ssh_port: int | None
    gateway: str | None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon decides when to end."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


class Daemon:
    """One agent."""

    def __init__(self, options: Options) -> None:
        """Open the state.

        Raises:
            StateBusyError, InputError: as `Store`.
        """
        self._options = options
        paths = options.paths
        paths.make()
        self._store = Store(paths.database)
        self._sampler = HostSampler(paths.state)
        self._hub = Hub(options.name, __version__, self._sampler.sample(time.time()))
        self._experiments = Experiments(self._store, self._hub)
        self._gateway: GatewayProcess | None = None
        self._router: Router | None = None
        owner = str(paths.state.resolve())
        if options.gateway:
            self._gateway = GatewayProcess(paths, self._store, owner, options.gateway)
            control = GatewayControl(paths.gateway_control)
            self._router = Router(self._gateway, control, self._hub, self._experiments.routes)
        self._engines = Supervisor(
            paths, self._store, self._hub, owner, self._experiments.engine_switched, self._drained
        )
        self._experiments.connect(self._engines, self._router)

    async def _drained(self, replica: str) -> None:
        if self._router:
            await self._router.drained(replica)

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or the end of the lifeline.

        Raises:
            QuantdeckError: the gateway, a socket or the SSH door could not be opened; nothing is left running then that
                was started now.
        """
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        paths, door = self._options.paths, None
        listeners: list[socket.socket] = []
        tasks: list[asyncio.Task[None]] = []
        take_along = self._options.lifeline is not None
        try:
            if self._gateway:
                await self._gateway.start()
            self._engines.restore()
            listeners = [listen(paths.socket(role)) for role in ROLES]
            ssh_port = None
            if self._options.ssh:
                from quantdeck_agent.api.ssh import SshDoor  # 20 MiB that most hosts, with an sshd, never need

                door = SshDoor(paths)
                ssh = self._options.ssh
                ssh_port = await door.start(ssh.host, ssh.port, ssh.host_key, ssh.authorized_keys)
            api = Api(self._options.name, self._hub, self._store, self._engines, self._experiments)
            server = _Server(
                uvicorn.Config(
                    api.app(),
                    log_config=None,
                    access_log=False,
                    lifespan="off",
                    loop="asyncio",
                    ws="none",
                    timeout_graceful_shutdown=1,
                    timeout_keep_alive=KEEP_ALIVE_S,
                    server_header=False,
                )
            )
            tasks = [asyncio.create_task(work) for work in self._work(server, listeners)]
            self._write_ready(ssh_port)
            log.info("agent %s ready: %s", self._options.name, paths.runtime)
            if self._options.lifeline is not None:
                tasks.append(asyncio.create_task(self._until_lifeline(self._options.lifeline, ending)))
            await _first_of(ending, tasks)
            server.should_exit = True
        finally:
            paths.ready_file.unlink(missing_ok=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if door:
                await door.stop()
            if take_along:
                await self._engines.stop_all()
                if self._gateway:
                    await self._gateway.stop()
            for listener in listeners:
                listener.close()
            self._store.close()

    def _work(self, server: uvicorn.Server, listeners: list[socket.socket]) -> list[Coroutine[Any, Any, None]]:
        work = [server.serve(sockets=listeners), self._engines.watch(), self._sample()]
        if self._router:
            signals = answer_signals(self._options.paths.gateway_signals)
            work += [self._router.keep(), self._experiments.hear(signals), self._experiments.publish()]
        return work

    async def _sample(self) -> None:
        while True:
            self._hub.put_sample(self._sampler.sample(time.time()))
            await asyncio.sleep(SAMPLE_S)

    async def _until_lifeline(self, fd: int, ending: asyncio.Event) -> None:
        await wait_for_end(fd)
        ending.set()

    def _write_ready(self, ssh_port: int | None) -> None:
        ready = Ready(
            pid=os.getpid(),
            host=self._options.name,
            ssh_port=ssh_port,
            gateway=self._gateway.listen if self._gateway else None,
        )
        file = self._options.paths.ready_file
        temporary = file.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(ready))
        temporary.replace(file)


async def _first_of(ending: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the end, or for a part that fails: an agent that runs only half is worse than one that says so."""
    waiting = asyncio.create_task(ending.wait())
    try:
        done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is not waiting and not task.cancelled():
                task.result()
    finally:
        waiting.cancel()
