"""The agent: composes its parts, runs them together, and ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from quantdeck_agent import __version__
from quantdeck_agent.alerts.alerts import Alerts
from quantdeck_agent.api.alerts import AlertApi
from quantdeck_agent.api.app import Api
from quantdeck_agent.api.canaries import CanaryApi
from quantdeck_agent.api.drill import DrillApi
from quantdeck_agent.api.experiments import ExperimentApi
from quantdeck_agent.api.front import Front
from quantdeck_agent.api.history import HistoryApi
from quantdeck_agent.api.logs import LogRoutes
from quantdeck_agent.api.metrics import MetricsApi, MetricsPort
from quantdeck_agent.api.models import ModelApi
from quantdeck_agent.api.once import Once
from quantdeck_agent.engines.engines import Engines
from quantdeck_agent.engines.starts import holders_of
from quantdeck_agent.experiments.cold_control import ColdControl
from quantdeck_agent.experiments.manager import Experiments
from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.gateway.keys import GatewayKeys
from quantdeck_agent.gateway.process import GatewayProcess
from quantdeck_agent.gateway.router import Router
from quantdeck_agent.gateway.signals import AnswerFeed
from quantdeck_agent.hub import Hub
from quantdeck_agent.lifeline import wait_for_end
from quantdeck_agent.logs.files import LogFiles
from quantdeck_agent.logs.keeper import LogKeeper
from quantdeck_agent.logs.own import AGENT, OwnLog
from quantdeck_agent.models.fetching import Fetcher
from quantdeck_agent.models.hasher import Meter
from quantdeck_agent.models.models import Models
from quantdeck_agent.models.store import ModelStore
from quantdeck_agent.notify import Notifier
from quantdeck_agent.options import Options
from quantdeck_agent.process.kernel import boot_id
from quantdeck_agent.store import Store
from quantdeck_agent.telemetry.history import History
from quantdeck_agent.telemetry.owners import with_engines
from quantdeck_agent.telemetry.page import metrics_page
from quantdeck_agent.telemetry.sampler import Sampler
from quantdeck_agent.telemetry.series import engine_series, gateway_series, host_series
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.health.pressure import PressureState, assess
from quantdeck_core.protocol.gateway import ApiKey
from quantdeck_core.protocol.host import HostSample

SAMPLE_S = 1.0
ROTATE_S = 5.0
CANCEL_AGAIN_S = 1.0
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
    metrics_port: int | None = None


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
        self._history = History(paths.history)
        self._sampler = Sampler(paths.state, paths.models)
        self._hub = Hub(options.name, __version__, self._sampler.last)
        self._alerts = Alerts(options.name, self._store, self._hub.alarm, options.alerts, counted=self._hub.put_pages)
        self._hub.listen(self._alerts.heard)
        self._store.watch(lambda level, text: self._hub.alarm(time.time(), level, text))
        self._log_files, self._own_log = LogFiles(paths.logs), OwnLog()
        logging.getLogger().addHandler(self._own_log)
        self._experiments = Experiments(options.name, self._store, self._hub, paths)
        self._gateway: GatewayProcess | None = None
        self._router: Router | None = None
        self._metrics_port: MetricsPort | None = None
        owner = str(paths.state.resolve())
        if options.gateway:
            control = GatewayControl(paths.gateway_control)
            self._gateway = GatewayProcess(
                paths,
                self._store,
                control,
                owner,
                options.gateway,
                options.lease_s,
                options.gateway_workers,
                options.gateway_access_log,
            )
            self._router = Router(
                self._gateway,
                control,
                self._hub,
                self._experiments,
                keys=self._gateway_keys(options.gateway_keys),
            )
        models = ModelStore(paths.models, paths.state, lambda: self._engines.uses())
        self._models = Models(models)
        self._engines = Engines(
            paths,
            self._store,
            self._hub,
            owner,
            sample=lambda: self._sampler.last,
            holders=lambda: holders_of(self._sampler.last),
            digest=models.digest,
            fetch=Fetcher(self._models).fetch,
            switched=self._experiments.watch.engine_switched,
            drained=self._drained,
            boot=boot_id(),
        )

        async def read_again(path: Path, meter: Meter) -> str:
            return (await models.manifest(path, meter, again=True)).digest

        cold = ColdControl(self._engines, paths.models, read_again)
        self._experiments.connect(self._engines, self._router, cold)

    def _gateway_keys(self, file: Path | None) -> Callable[[], tuple[ApiKey, ...]]:
        if file is None:
            return tuple
        return GatewayKeys(file, lambda text: self._hub.alarm(time.time(), "warn", text))

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
            closing.callback(self._history.close)
            closing.push_async_callback(self._models.close)
            closing.push_async_callback(self._experiments.rehearsals.latencies.close)
            front = Front(self._options.paths)
            closing.push_async_callback(front.close)
            await front.open(self._options.ssh)
            self._options.paths.ready_file.unlink(missing_ok=True)  # of an agent that was killed
            if self._options.metrics:
                self._metrics_port = MetricsPort(self._options.metrics)
                closing.callback(self._metrics_port.close)
            self._hub.put_sample(await self._sampler.first())
            if self._options.lifeline is not None:
                closing.push_async_callback(self._take_along)
            if self._gateway:
                await self._gateway.start()
            await self._engines.restore()
            closing.push_async_callback(self._engines.close)
            closing.push_async_callback(self._experiments.safety.close)
            await self._experiments.watch.restore()
            self._models.restore()
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
        logs = LogRoutes(self._log_files, self._own_log, self._live_logs)
        metrics = MetricsApi(lambda: metrics_page(self._hub.status(), self._engines.readings()))
        once = Once(self._store)
        experiments = ExperimentApi(self._hub, once, self._experiments)
        rehearsals = self._experiments.rehearsals
        canaries = CanaryApi(rehearsals.canaries, rehearsals.latencies, rehearsals.target)
        alerts = AlertApi(self._alerts, once)
        drills = DrillApi(self._experiments.safety.drill, once)
        others = (
            logs,
            HistoryApi(self._history),
            metrics,
            ModelApi(self._models),
            experiments,
            canaries,
            alerts,
            drills,
        )
        routes = [route for one in others for route in one.routes()]
        api = Api(self._options.name, self._hub, once, self._engines, routes)
        work = [front.serve(api.app()), self._engines.keeper.watch(), self._sample(), self._rotate()]
        work += [self._history.keep(), self._alerts.keep()]
        if self._metrics_port:
            work.append(self._metrics_port.serve(metrics))
        if self._router:
            feed = AnswerFeed(self._options.paths.gateway_signals)
            work += [self._router.keep(), self._experiments.watch.hear(feed), self._experiments.watch.keep()]
            work.append(self._experiments.rehearsals.canaries.keep())
        if self._options.lifeline is not None:
            work.append(self._until_lifeline(self._options.lifeline, ending))
        return work

    async def _sample(self) -> None:
        pressure = PressureState()
        while True:
            due = time.monotonic() + SAMPLE_S
            sample = with_engines(await self._sampler.sample(), self._engines.leaders())
            self._hub.put_sample(sample)
            pressure, edges = assess(pressure, sample)
            for edge in edges:
                self._hub.alarm(sample.t, edge.level, edge.text, hint=edge.hint, key=edge.key)
            self._remember(sample)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _remember(self, sample: HostSample) -> None:
        values = host_series(sample)
        for name, reading in self._engines.readings().items():
            values |= engine_series(name, reading)
        gateway = self._hub.status().gateway
        if gateway:
            values |= gateway_series(gateway)
        self._history.put(time.time(), values)

    def _live_logs(self) -> set[str]:
        return {AGENT, "gateway", *(f"engine:{key}" for key in self._engines.present())}

    async def _rotate(self) -> None:
        keeper = LogKeeper(self._log_files, self._live_logs)
        while True:
            await asyncio.to_thread(keeper.tick, time.time())
            await asyncio.sleep(ROTATE_S)

    async def _until_lifeline(self, fd: int, ending: asyncio.Event) -> None:
        await wait_for_end(fd)
        ending.set()

    def _write_ready(self, ssh_port: int | None) -> None:
        ready = Ready(
            pid=os.getpid(),
            host=self._options.name,
            ssh_port=ssh_port,
            gateway=self._gateway.listen if self._gateway else None,
            metrics_port=self._metrics_port.port if self._metrics_port else None,
        )
        file = self._options.paths.ready_file
        temporary = file.with_suffix(".new")
        try:
            temporary.write_bytes(msgspec.json.encode(ready))
            temporary.replace(file)
        except OSError as error:  # a full disk: it serves all the same
            log.error("%s cannot be written: %s", file, error.strerror)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    """End all of them; one that lost its cancellation on the way is told again."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
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
