"""One engine process, from start to end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from quantdeck_agent.engines.command import api_key, command_line
from quantdeck_agent.engines.errors import EngineFailedError
from quantdeck_agent.engines.others import missing_hosts
from quantdeck_agent.engines.probe import EngineProbe
from quantdeck_agent.engines.record import EngineRecord
from quantdeck_agent.logs.tail import log_tail
from quantdeck_agent.ports import listens
from quantdeck_agent.process.kernel import kills_for_memory
from quantdeck_agent.process.session import members, signal_members
from quantdeck_agent.process.spawn import returncode_of, spawn
from quantdeck_agent.telemetry.scrape import Scraper
from quantdeck_core.engines import liveness
from quantdeck_core.engines.failure import Exit, failure_of
from quantdeck_core.engines.interface import INTERFACES
from quantdeck_core.engines.liveness import Liveness
from quantdeck_core.engines.metrics import EngineMetrics, read_metrics
from quantdeck_core.engines.progress import progress_of
from quantdeck_core.engines.ray import NODE_PORT
from quantdeck_core.engines.reading import EngineReading, EngineWatch
from quantdeck_core.errors import ErrorInfo, UnreachableError
from quantdeck_core.profile.nodes import Placement
from quantdeck_core.protocol.engine import EngineState, EngineStatus
from quantdeck_core.protocol.operation import StepName

FAST_POLL_S, SLOW_POLL_S = 0.05, 0.25
STOP_DEADLINE_S = 10.0
KILL_DEADLINE_S = 10.0
SCRAPE_DEADLINE_S = 2.0
SHOWN_DIGITS = 16
"""Of a digest, where every watcher gets it each second."""
_LOG_S = 0.5
"""How often the log is read for how far it has loaded."""

Progress = Callable[[StepName, str, float | None], None]
"""Called with the step that is under way, what goes on in it, and how much of it is done (0 to 1, None: unknown)."""


class Instance:
    """A process and what is known of it. It decides nothing: the supervisor does."""

    def __init__(self, record: EngineRecord, logs: Path, changed: Callable[[], None]) -> None:
        self.record = record
        self.state: EngineState = "ready" if record.ready_s is not None else "queued"
        self.error: ErrorInfo | None = None
        self.note = ""
        self.sha256 = ""
        self.ready_at = time.monotonic()
        self.liveness = Liveness(alive_at=self.ready_at)
        self.log = logs / f"engine-{record.key}.log"
        self._changed = changed
        self._interface = INTERFACES[record.profile.engine]
        self._probe = EngineProbe(record.url, record.asked_as, self._interface, api_key(record.profile))
        self.reading = EngineReading()
        self._watch = EngineWatch()
        self._kills = kills_for_memory()
        self._probing: asyncio.Task[None] | None = None
        self.silence = ""
        """What came of the last question for a token; empty where it was answered."""

    # Starting

    def spawn(self, owner: str) -> EngineRecord:
        """Start the process; returns the record with its identity.

        Raises:
            StartError: the program is not there.
        """
        argv, env = command_line(self.record)
        identity = spawn(argv, f"{owner}/{self.record.key}", self.log, env)
        self.record = msgspec.structs.replace(self.record, identity=identity)
        self.enter("starting")
        return self.record

    def alive(self) -> bool:
        """Whether its process still runs; an external engine's is not ours to know."""
        return self.record.external or (self.record.identity is not None and self.record.identity.alive())

    async def until_ready(self, progress: Progress) -> None:
        """Listening itself, healthy, the right model, one token, warm-up: only then ready.

        Raises:
            EngineFailedError: it ended, or its deadline passed; with the reason from its log.
            UnreachableError: it is up but gives no token, or another model.
        """
        profile = self.record.profile
        self.enter("starting")
        placed = self.record.placement
        if placed is not None:
            async for missing in missing_hosts(placed):
                if not self.alive():
                    raise self._ended("ended while it waited for another host")
                progress("start", missing, None)
        began = time.monotonic()
        try:
            async with asyncio.timeout(profile.warmup.deadline_s):
                if placed is not None and placed.rank:
                    await self._until_joined(placed, progress)
                else:
                    await self._until_it_answers(progress)
        except TimeoutError:
            raise EngineFailedError(
                f"{self.record.title} was not ready within {profile.warmup.deadline_s:g} s (still {self.state}).",
                f"Raise warmup.deadline_s in the profile, or read {self.log}.",
            ) from None
        except UnreachableError:
            if self.alive():
                raise
            raise self._ended("ended before it was ready") from None
        self.record = msgspec.structs.replace(self.record, ready_s=round(time.monotonic() - began, 3))
        self.ready_at = time.monotonic()
        self.liveness = Liveness(alive_at=self.ready_at)

    async def _until_it_answers(self, progress: Progress) -> None:
        await self._until_healthy(progress)
        self.enter("probing")
        progress("health", "it says which model it serves", None)
        await self._probe.require_model()
        progress("token", "the first token", None)
        await self._first_token()
        self.enter("warming")
        prompts = self.record.profile.warmup.prompts
        for number in range(prompts):
            progress("warm-up", f"request {number + 1} of {prompts}", number / prompts)
            await self._probe.warm_up(number)

    async def _until_joined(self, placed: Placement, progress: Progress) -> None:
        """A host that lends its GPUs answers no requests: it is ready once its node is in the cluster."""
        while not self._listens(placed.here.port + NODE_PORT):
            if not self.alive():
                raise self._ended("ended before it had joined")
            progress("load", f"joining {placed.head.host}", None)
            await asyncio.sleep(SLOW_POLL_S)

    async def _until_healthy(self, progress: Progress) -> None:
        began, looked = time.monotonic(), 0.0
        while True:
            if not self.alive():
                raise self._ended("ended while loading")
            if time.monotonic() - looked >= _LOG_S:
                looked = time.monotonic()
                loading = progress_of(self.record.profile.engine, log_tail(self.log))
                progress("load", loading.what, loading.fraction)
            if self._listens(self.record.port):
                progress("health", "it listens", None)
                if await self._probe.healthy():
                    return
            await asyncio.sleep(FAST_POLL_S if time.monotonic() - began < 3 else SLOW_POLL_S)

    def _listens(self, port: int) -> bool:
        """Whether it is a process of this engine that listens on a port, and not a stale one in its place."""
        if self.record.external:
            return True
        identity = self.record.identity
        leader = identity.process() if identity else None
        if leader is None or identity is None:
            return False
        return listens(leader, port) or any(listens(one, port) for one in members(identity) if one.pid != leader.pid)

    async def _first_token(self) -> None:
        """Slow the first time: kernels are compiled, pages read. The whole start has a deadline."""
        await self._probe.one_token(self.record.profile.warmup.deadline_s)

    # Watching

    async def observe(self, scraper: Scraper, memory: Mapping[int, int]) -> None:
        """Read its counters.

        Args:
            memory: resident bytes by session leader.
        """
        metrics = await self._scrape(scraper)
        now = time.monotonic()
        tokens = metrics.generated_tokens if metrics else None
        self.liveness = liveness.seen(self.liveness, tokens, self._interface.metrics_prove_life, now)
        pid = self.record.identity.pid if self.record.identity else 0
        self.reading = self._watch.add(now, metrics, memory.get(pid))

    async def _scrape(self, scraper: Scraper) -> EngineMetrics | None:
        if self._interface.metrics is None or self.record.lends:
            return None
        record = self.record
        url = f"{record.url}{self._interface.metrics}"
        page = await scraper.get(url, SCRAPE_DEADLINE_S, api_key(record.profile), keep_alive=not record.external)
        if page is None or page[0] != 200:
            return None
        return read_metrics(record.profile.engine, page[1].decode("utf-8", "replace"))

    def look_after(self, now: float) -> bool:
        """Begin to ask for a token where one is due; True where it has hung for so long that it is to be ended.

        One that somebody else runs is asked again and again: it may come back.
        """
        if self._probing is not None or self.record.lends:
            return False
        action = liveness.next_action(self.liveness, now)
        if action == "kill" and not self.record.external:
            return True
        if action != "none":
            self._probing = asyncio.create_task(self._ask_for_token())
        return False

    def suspect(self) -> None:
        """Nothing is known of whether it answers: it gets no requests before it has given a token."""
        if self.record.lends:
            self.enter("ready")  # it gives none: the server that uses its GPUs does
            return
        now = time.monotonic()
        self.liveness = Liveness(alive_at=now - liveness.EVERY_S, hung_since=now)
        self.enter("hung")

    async def _ask_for_token(self) -> None:
        try:
            await self._probe.one_token(liveness.deadline_s(self.reading.metrics.running))
            answered, self.silence = True, ""
        except UnreachableError as error:
            answered, self.silence = False, error.detail
        finally:
            self._probing = None
        self.liveness = liveness.probed(self.liveness, answered, time.monotonic())

    # Ending

    def fail(self, error: ErrorInfo, state: EngineState = "failed") -> None:
        """Remember why it is of no use."""
        self.error = error
        self.reading, self._watch = EngineReading(), EngineWatch()
        self.enter(state)

    def exit_error(self) -> EngineFailedError:
        """Why it ended, where nobody asked it to: a failure whatever its exit code."""
        return self._ended("ended by itself")

    def _ended(self, how: str) -> EngineFailedError:
        served = self.record.ready_s is not None
        failure = failure_of(self.record.profile.engine, log_tail(self.log), self._exit(), served=served)
        hint = f"{failure.hint} " if failure.hint else ""
        return EngineFailedError(
            f"{self.record.title} {how}: {failure.reason}", f"{hint}Its log: {self.log}.", failure.code
        )

    def _exit(self) -> Exit:
        code = returncode_of(self.record.identity.pid) if self.record.identity else None
        killed = code in (None, -signal.SIGKILL)
        return Exit(
            returncode=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            oom_killed=killed and kills_for_memory() > self._kills,
        )

    async def stop(self) -> set[int]:
        """SIGTERM to its session, SIGKILL at a deadline, until none of it is left. Drained before, or cut off now.

        Returns the numbers of the processes that were ended.
        """
        self.enter("stopping")
        if self._probing:
            self._probing.cancel()
        ended = await self.end_processes(STOP_DEADLINE_S + (self.record.profile.serve.shutdown_timeout or 0))
        await self._probe.close()
        self.enter("stopped")
        return ended

    async def end_processes(self, grace_s: float) -> set[int]:
        """End all that it has started, also workers that outlived their parent and hold a GPU; their numbers."""
        identity = self.record.identity
        if identity is None:
            return set()
        ended = {identity.pid, *(one.pid for one in members(identity))}
        if grace_s > 0 and identity.alive():
            identity.signal_group(signal.SIGTERM)
            identity.signal_group(signal.SIGCONT)  # a stopped process does not hear the other
            deadline = time.monotonic() + grace_s
            while identity.alive() and time.monotonic() < deadline:
                await asyncio.sleep(FAST_POLL_S)
        deadline = time.monotonic() + KILL_DEADLINE_S
        while signal_members(identity, signal.SIGKILL) and time.monotonic() < deadline:
            await asyncio.sleep(FAST_POLL_S)
        return ended

    # Telling

    def enter(self, state: EngineState) -> None:
        """Another state."""
        if self.state != state:
            self.state, self.note = state, ""
            self._changed()

    def status(self, note: str = "") -> EngineStatus:
        """What the console is told."""
        record, placed = self.record, self.record.placement
        reading = self.reading
        return EngineStatus(
            name=record.title,
            profile=record.profile.name,
            engine=record.profile.engine,
            served_name=record.profile.served_name,
            state=self.state,
            generation=record.generation,
            epoch=record.epoch,
            version=record.version,
            model=record.model,
            model_sha256=self.sha256[:SHOWN_DIGITS],
            url=record.url,
            pid=record.identity.pid if record.identity else None,
            started_at=round(record.started_at, 3),
            ready_s=record.ready_s,
            rss_bytes=reading.rss_bytes,
            planned_bytes=record.planned_bytes,
            measured_bytes=record.measured_bytes,
            gpus=record.gpus,
            running=reading.metrics.running,
            waiting=reading.metrics.waiting,
            tokens_per_s=reading.tokens_per_s,
            prompt_tokens_per_s=reading.prompt_tokens_per_s,
            kv_usage=reading.kv_usage,
            ttft_p95_ms=reading.ttft_p95_ms,
            itl_p95_ms=reading.itl_p95_ms,
            hosts=tuple(member.host for member in placed.members) if placed else (),
            part=placed.rank if placed else 0,
            note=note or self.note or (f"its GPUs serve {placed.head.host}" if placed and record.lends else ""),
            error=self.error,
        )
