"""The agent: composes its parts, runs them together, and ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any

import msgspec

from quantdeck_agent import __version__
from quantdeck_agent.api.app import Api
from quantdeck_agent.api.front import Front
from quantdeck_agent.engines.supervisor import Supervisor
from quantdeck_agent.experiments.manager import Experiments
from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.gateway.process import GatewayProcess
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.gateway.signals import answer_signals
from quantdeck_agent.hub import Hub
from quantdeck_agent.lifeline import wait_for_end
from quantdeck_agent.notify import Notifier
from quantdeck_agent.options import Options
from quantdeck_agent.store import Store
from quantdeck_agent.telemetry.host import HostSampler
from quantdeck_core.errors import QuantdeckError

SAMPLE_S = 1.0
log = logging.getLogger("quantdeck.agent")


class PartEndedError(QuantdeckError):
    """A part that runs for ever has returned."""

    code = "part-ended"
    title = "The agent ended"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the ready file."""

    pid: int
    host: str
    ssh_port: int | None
    gateway: str | None


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
        self._store.watch(lambda level, text: self._hub.alarm(time.time(), level, text))
        self._experiments = Experiments(self._store, self._hub, paths.runtime)
        self._gateway: GatewayProcess | None = None
        self._router: Router | None = None
        owner = str(paths.state.resolve())
        if options.gateway:
            self._gateway = GatewayProcess(paths, self._store, owner, options.gateway)
            control = GatewayControl(paths.gateway_control)
            self._router = Router(
                self._gateway,
                control,
                self._hub,
                self._experiments.routes,
                self._experiments.settled,
                state_lost=self._store.recovered_level == "fail",
            )
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
            QuantdeckError: a socket, the SSH port or the gateway could not be opened; nothing was left running.
        """
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        notifier = Notifier()
        async with contextlib.AsyncExitStack() as closing:  # what was opened last is closed first
            closing.callback(self._store.close)
            front = Front(self._options.paths)
            closing.push_async_callback(front.close)
            await front.open(self._options.ssh)
            self._options.paths.ready_file.unlink(missing_ok=True)  # of an agent that was killed
            if self._options.lifeline is not None:
                closing.push_async_callback(self._take_along)
            if self._gateway:
                await self._gateway.start()
            self._engines.restore()
            await self._experiments.restore()
            work = [*self._work(front, ending), notifier.keep(self._status_line)]
            tasks = [asyncio.create_task(one, name=getattr(one, "__qualname__", None)) for one in work]
            closing.push_async_callback(_cancel, tasks)
            closing.callback(self._options.paths.ready_file.unlink, missing_ok=True)
            self._write_ready(front.ssh_port)
            notifier.ready(self._status_line())
            gc.collect()
            gc.freeze()  # what is there now stays: it need not be looked at again and again
            log.info("agent %s ready: %s", self._options.name, self._options.paths.runtime)
            closing.callback(notifier.stopping)
            await _first_of(ending, tasks)

    def _status_line(self) -> str:
        """What `systemctl status` shows."""
        status = self._hub.status()
        ready = sum(engine.state == "ready" for engine in status.engines)
        gateway = f", gateway on {status.gateway.listen}" if status.gateway else ""
        return f"{ready} of {len(status.engines)} engines ready{gateway}, {len(status.experiments)} experiments"

    async def _take_along(self) -> None:
        """End engines and gateway with the agent."""
        try:
            await self._engines.stop_all()
        finally:
            if self._gateway:
                await self._gateway.stop()

    def _work(self, front: Front, ending: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        api = Api(self._options.name, self._hub, self._store, self._engines, self._experiments)
        work = [front.serve(api.app()), self._engines.watch(), self._sample()]
        if self._router:
            signals = answer_signals(self._options.paths.gateway_signals)
            work += [self._router.keep(), self._experiments.hear(signals), self._experiments.publish()]
        if self._options.lifeline is not None:
            work.append(self._until_lifeline(self._options.lifeline, ending))
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
        try:
            temporary.write_bytes(msgspec.json.encode(ready))
            temporary.replace(file)
        except OSError as error:  # a full disk: it serves all the same
            log.error("%s cannot be written: %s", file, error.strerror)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _first_of(ending: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the end, or for a part that fails: an agent that runs only half is worse than one that says so."""
    waiting = asyncio.create_task(ending.wait())
    try:
        done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            if task.cancelled():
                continue
            task.result()
            if ending.is_set():
                return
            raise PartEndedError(f"A part of the agent ended by itself: {task.get_name()}.", "Its log says more.")
    finally:
        waiting.cancel()
