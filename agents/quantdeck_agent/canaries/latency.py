"""Latency profiles of an experiment's arms: measured while an arm has no users, or when somebody insists."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator

import msgspec

from quantdeck_agent.canaries.asker import AskError, EngineAsker
from quantdeck_agent.canaries.target import ArmLoad, ArmTarget, LoadOf, TargetOf
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.canary.builtin import builtin_prompts
from quantdeck_core.canary.latency import (
    CONCURRENCY,
    MAX_TOKENS,
    LatencyLevel,
    LatencyProfile,
    Timing,
    level,
    requests_at,
)
from quantdeck_core.errors import ConflictError, ErrorInfo, NotFoundError, QuantdeckError
from quantdeck_core.protocol.canary import LatencyState
from quantdeck_core.protocol.gateway import VariantName

KIND = "latency"
REQUEST_S = 120.0
LEVEL_S = 180.0
"""Longest that one level may take; what was measured by then counts, and the profile says that it is not whole."""
log = logging.getLogger("quantdeck.agent")


class ArmHasUsersError(ConflictError):
    """Measuring would disturb them."""

    code = "arm-has-users"
    title = "This arm has users"


class LatencyRunner:
    """Measures one arm at a time.

    Args:
        turn: held while engines are asked; shared with the canaries.
    """

    def __init__(self, store: Store, target: TargetOf, load: LoadOf, turn: asyncio.Lock) -> None:
        self._store, self._target, self._load, self._turn = store, target, load, turn
        try:
            self._profiles = store.all(KIND, LatencyProfile)
        except msgspec.MsgspecError as error:
            log.warning("latency profiles cannot be read, and count no more: %s", error)
            self._profiles = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._runs: dict[str, int] = {}
        self._errors: dict[str, ErrorInfo] = {}

    def latency(self, experiment: str, variant: VariantName = "treatment") -> LatencyProfile | None:
        """The whole profile of what serves now; None where that was not measured."""
        found, target = self._profiles.get(_name(experiment, variant)), self._target(experiment)
        if found is None or target is None or not target.arm(variant) or found.epoch != target.epoch(variant):
            return None
        return found

    def state(self, experiment: str) -> LatencyState:
        """For people."""
        return LatencyState(
            running=experiment in self._running,
            runs=self._runs.get(experiment, 0),
            error=self._errors.get(experiment),
            treatment=self.latency(experiment, "treatment"),
            control=self.latency(experiment, "control"),
        )

    async def measure_now(
        self, experiment: str, variant: VariantName = "treatment", *, with_users: bool = False
    ) -> LatencyProfile:
        """Measure one arm.

        Args:
            with_users: also where it has some.

        Raises:
            NotFoundError: there is no such experiment.
            ConflictError: the arm is not ready, has users, or was replaced meanwhile.
            AskError: it does not answer.
        """
        replica = self._require(experiment, variant, with_users)
        async with self._turn:
            profile = await _measure(replica, lambda: self._load(experiment, variant))
        target = self._target(experiment)
        if target is None or target.epoch(variant) != replica.epoch:
            raise ConflictError(f"{replica.engine} was replaced while it was measured.", "Measure again.")
        self._profiles[_name(experiment, variant)] = profile
        try:
            self._store.put(KIND, _name(experiment, variant), profile)
        except StateWriteError as error:
            log.warning("the latency profile of %s is not on disk: %s", replica.engine, error.detail)
        return profile

    def begin(self, experiment: str, variants: tuple[VariantName, ...], *, with_users: bool) -> None:
        """As `measure_now` for each, one after the other, without waiting; joins what is under way.

        Raises:
            NotFoundError, ConflictError: as `measure_now`.
        """
        for variant in variants:
            self._require(experiment, variant, with_users)
        if experiment not in self._running:
            work = self._all(experiment, variants, with_users)
            self._running[experiment] = asyncio.create_task(work, name=f"latency of {experiment}")

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self, experiment: str) -> None:
        """The experiment is gone."""
        for variant in ("control", "treatment"):
            if self._profiles.pop(_name(experiment, variant), None):
                with contextlib.suppress(StateWriteError):  # it is of an epoch that nobody will ask for
                    self._store.delete(KIND, _name(experiment, variant))

    async def _all(self, experiment: str, variants: tuple[VariantName, ...], with_users: bool) -> None:
        self._errors.pop(experiment, None)
        try:
            for variant in variants:
                await self.measure_now(experiment, variant, with_users=with_users)
        except QuantdeckError as error:
            self._errors[experiment] = error.info()
        finally:
            del self._running[experiment]
            self._runs[experiment] = self._runs.get(experiment, 0) + 1

    def _require(self, experiment: str, variant: VariantName, with_users: bool) -> ArmTarget:
        target = self._target(experiment)
        if target is None:
            raise NotFoundError(
                f"No experiment is called {experiment!r} here.", "`quantdeck experiment list` shows them."
            )
        if not target.arm(variant):
            raise ConflictError(f"The {variant} is not ready.", "Deploy it and wait until it is ready.")
        if target.has_users(variant) and not with_users:
            raise ArmHasUsersError(
                f"The {variant} of {experiment} has users, who would feel it.",
                "Measure while it has none, or insist with --with-users.",
            )
        return target.arm(variant)[0]


async def _measure(replica: ArmTarget, load: Callable[[], ArmLoad]) -> LatencyProfile:
    asker = EngineAsker(replica)
    levels: list[LatencyLevel] = []
    note = ""
    prompts = _prompts()
    try:
        chat = await asker.speaks_chat(REQUEST_S)
        await asker.timing(next(prompts), MAX_TOKENS, REQUEST_S, chat=chat)  # the first one may compile
        for concurrency in (1,) if replica.one_at_a_time else CONCURRENCY:
            if load().waiting:
                note = "ended early: users wait for this arm"
                break
            one, whole = await _level(asker, concurrency, prompts, chat)
            levels.append(one)
            if not whole:
                note = f"ended early: {concurrency} at once took more than {LEVEL_S:g} s"
                break
    except AskError as error:
        raise AskError(error.trouble, f"{replica.engine} does not answer: {error.detail}.") from None
    finally:
        await asker.close()
    return LatencyProfile(
        variant=replica.variant,
        engine=replica.engine,
        epoch=replica.epoch,
        at=time.time(),
        levels=tuple(levels),
        note=note,
    )


async def _level(asker: EngineAsker, concurrency: int, prompts: Iterator[str], chat: bool) -> tuple[LatencyLevel, bool]:
    left = [next(prompts) for _ in range(requests_at(concurrency))]
    timings: list[Timing] = []

    async def work() -> None:
        while left:
            timings.append(await asker.timing(left.pop(), MAX_TOKENS, REQUEST_S, chat=chat))

    began = time.monotonic()
    whole = True
    try:
        async with asyncio.timeout(LEVEL_S):
            await asyncio.gather(*(work() for _ in range(concurrency)))
    except TimeoutError:
        whole = False
    return level(concurrency, timings, time.monotonic() - began), whole


def _prompts() -> Iterator[str]:
    """Short prompts that begin differently: a prefix cache must not make an engine look faster than it is."""
    short = [one.text for one in builtin_prompts() if not one.long]
    number = 0
    while True:
        number += 1
        yield f"{number * 7919 % 10_007}. {short[number % len(short)]}"


def _name(experiment: str, variant: VariantName) -> str:
    return f"{experiment}:{variant}"
