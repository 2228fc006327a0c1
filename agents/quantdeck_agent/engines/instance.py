"""One engine process, from start to end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from quantdeck_agent.engines.checkpoint import sha256_of
from quantdeck_agent.engines.command import command_line
from quantdeck_agent.engines.probe import EngineProbe
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.ports import listens
from quantdeck_agent.process.spawn import last_words, spawn
from quantdeck_agent.telemetry.scrape import Scraper
from quantdeck_core.engines.metrics import read_metrics
from quantdeck_core.engines.reading import EngineReading, EngineWatch
from quantdeck_core.errors import ErrorInfo, QuantdeckError
from quantdeck_core.protocol.engine import EngineState, EngineStatus

POLL_S = 0.05
STOP_DEADLINE_S = 10.0
SCRAPE_DEADLINE_S = 2.0


class EngineFailedError(QuantdeckError):
    """An engine that did not become ready, or ended without being asked to."""

    code = "engine-failed"
    title = "Engine failed"


class Instance:
    """A process and what is known of it. It decides nothing: the supervisor does."""

    def __init__(self, record: EngineRecord, logs: Path, changed: Callable[[], None]) -> None:
        self.record = record
        self.state: EngineState = "ready" if record.ready_s is not None else "starting"
        self.error: ErrorInfo | None = None
        self.sha256 = ""
        self._log = logs / f"engine-{record.key}.log"
        self._changed = changed
        self._probe = EngineProbe(record.url, record.profile.served_name)
        self.reading = EngineReading()
        self._watch = EngineWatch()

    def spawn(self, owner: str) -> EngineRecord:
        """Start the process; returns the record with its identity.

        Raises:
            StartError: the program is not there.
        """
        record = self.record
        argv, env = command_line(record)
        identity = spawn(argv, f"{owner}/{record.key}", self._log, env)
        self.record = msgspec.structs.replace(record, identity=identity)
        return self.record

    def alive(self) -> bool:
        """Whether its process still runs."""
        return self.record.identity is not None and self.record.identity.alive()

    async def until_ready(self) -> None:
        """Listening itself, healthy, one token, warm-up: only then ready.

        Raises:
            EngineFailedError: it ended, or its deadline passed; with the reason from its log.
            UnreachableError: it is up but gives no token.
        """
        profile = self.record.profile
        try:
            async with asyncio.timeout(profile.warmup.deadline_s):
                await self._until_healthy()
                self._enter("probing")
                await self._probe.one_token()
                self._enter("warming")
                for number in range(profile.warmup.prompts):
                    await self._probe.warm_up(number)
        except TimeoutError:
            raise EngineFailedError(
                f"{self.record.name} was not ready within {profile.warmup.deadline_s:g} s (still {self.state}).",
                f"Raise warmup.deadline_s in the profile, or read {self._log}.",
            ) from None
        self.record = msgspec.structs.replace(self.record, ready_s=time.time() - self.record.started_at)
        self._enter("ready")

    async def _until_healthy(self) -> None:
        while True:
            process = self.record.identity.process() if self.record.identity else None
            if process is None:
                raise EngineFailedError(
                    f"{self.record.name} ended while loading: {last_words(self._log)}", f"Read {self._log}."
                )
            if listens(process, self.record.port) and await self._probe.healthy():
                return
            await asyncio.sleep(POLL_S)

    async def hash_checkpoint(self) -> None:
        """Find out what exactly it serves; in a thread, beside the load."""
        self.sha256 = await asyncio.to_thread(sha256_of, Path(self.record.model_path))
        self._changed()

    async def observe(self, scraper: Scraper, memory: Mapping[int, int]) -> None:
        """Read its counters.

        Args:
            memory: resident bytes by session leader.
        """
        kind = self.record.profile.engine
        page = await scraper.get(f"{self.record.url}/metrics", SCRAPE_DEADLINE_S, keep_alive=kind != "external")
        metrics = read_metrics(kind, page[1].decode("utf-8", "replace")) if page and page[0] == 200 else None
        pid = self.record.identity.pid if self.record.identity else 0
        self.reading = self._watch.add(time.monotonic(), metrics, memory.get(pid))

    def fail(self, error: ErrorInfo) -> None:
        """Remember why it is of no use."""
        self.error = error
        self.reading, self._watch = EngineReading(), EngineWatch()
        self._enter("failed")

    def exit_error(self) -> ErrorInfo:
        """Why it ended, where nobody asked it to: a failure whatever its exit code."""
        return EngineFailedError(
            f"{self.record.name} ended by itself: {last_words(self._log)}",
            f"Read {self._log}, then deploy it again with --replace.",
        ).info()

    def draining(self) -> None:
        """It gets no new requests."""
        self._enter("draining")

    async def stop(self) -> None:
        """SIGTERM to its group, SIGKILL at a deadline. Drained before, or cut off now."""
        self._enter("stopping")
        identity = self.record.identity
        if identity:
            identity.signal_group(signal.SIGTERM)
            deadline = time.monotonic() + STOP_DEADLINE_S
            while identity.alive() and time.monotonic() < deadline:
                await asyncio.sleep(POLL_S)
            identity.signal_group(signal.SIGKILL)
        await self._probe.close()
        self._enter("stopped")

    def _enter(self, state: EngineState) -> None:
        self.state = state
        self._changed()

    def status(self, note: str = "") -> EngineStatus:
        """What the console is told."""
        record = self.record
        reading = self.reading
        return EngineStatus(
            name=record.name,
            profile=record.profile.name,
            engine=record.profile.engine,
            served_name=record.profile.served_name,
            state=self.state,
            generation=record.generation,
            model=Path(record.model_path).name,
            model_sha256=self.sha256,
            url=record.url,
            pid=record.identity.pid if record.identity else None,
            started_at=record.started_at,
            ready_s=record.ready_s,
            rss_bytes=reading.rss_bytes,
            running=reading.metrics.running,
            waiting=reading.metrics.waiting,
            tokens_per_s=reading.tokens_per_s,
            prompt_tokens_per_s=reading.prompt_tokens_per_s,
            note=note,
            error=self.error,
        )
