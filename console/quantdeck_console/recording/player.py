"""A fleet out of a recording: at its own pace or another one, stopped, wound forth and back."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from quantdeck_console.link.deck_client import DeckClient
from quantdeck_console.link.interface import Listener
from quantdeck_console.recording.checkpoints import Checkpoints
from quantdeck_console.recording.heard import Answers, Tail
from quantdeck_console.recording.played_client import PlayedClient
from quantdeck_console.recording.records import Answered, End, EventHeard, LinkHeard, LogHeard, Lost
from quantdeck_console.recording.tape import Entry, Tape
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import FleetState, Heard, apply_all
from quantdeck_core.protocol.events import Event

T = TypeVar("T")

SLIP_S = 0.25
"""Where records come faster than they can be shown by so much, time waits for them."""
_AT_ONCE = 200
"""Records between two turns of the event loop."""
_TURN_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Playing:
    """How far it is.

    Attributes:
        now: UNIX time of the recording.
        to: where it is being wound to; None while it plays.
        damaged: lines that could not be read so far; `damage` says what is wrong with the last of them.
    """

    now: float
    speed: float
    paused: bool
    ended: bool
    to: float | None
    damaged: int
    damage: str


class PlayedFleet:
    """A `FleetLink` that reads a file.

    Attributes:
        fleet: gives what is shown now; set by whoever shows it and wants to wind.
        wound: called with the fleet as it is after winding.
    """

    def __init__(self, tape: Tape, *, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.tape = tape
        self.answers = Answers()
        self.tails: dict[tuple[str, str], Tail] = {}
        self.fleet: Callable[[], FleetState] | None = None
        self.wound: Callable[[FleetState], None] = lambda _: None
        self._monotonic = monotonic
        self._speed = speed
        self._paused = False
        self._target: float | None = None
        self._news = asyncio.Event()
        self._arrived = asyncio.Event()
        self._damaged, self._damage, self._looked_at = 0, "", 0
        self._checkpoints = Checkpoints()
        self._last_t = tape.header.at
        self._entries = tape.entries()
        self._next = next(self._entries, None)
        self._anchor = (monotonic(), tape.header.at)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Of the recorded fleet."""
        return self.tape.header.hosts

    @property
    def playing(self) -> Playing:
        """How far it is."""
        return Playing(
            now=self.clock(),
            speed=self._speed,
            paused=self._paused,
            ended=self._next is None,
            to=self._target,
            damaged=self._damaged,
            damage=self._damage,
        )

    def clock(self) -> float:
        """UNIX time of the recording: never past a record that was not shown yet, nor past the last one."""
        return self._anchor[1] if self._target is not None else min(self._unbounded(), self._due())

    def pause(self) -> None:
        """Stop, or go on."""
        self._hold(self.clock())
        self._paused = not self._paused
        self._news.set()

    def jump(self, seconds: float) -> None:
        """Wind forth, or back where it is negative; from where it is being wound to, if it is."""
        if self.fleet is None:
            return
        now = self.clock()
        self._hold(now)
        self._target = max(self.tape.header.at, (now if self._target is None else self._target) + seconds)
        self._news.set()

    async def wound_within(self, seconds: float) -> bool:
        """Wait so long, or until it was wound: then what is known may be of another time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._arrived.wait()
        return False

    async def run(self, listener: Listener) -> None:
        """Play to the end; where somebody may wind back, stay there until cancelled."""
        self._hold(self.clock())
        while self._next or self.fleet:
            if self._target is not None:
                await self._wind()
            for _ in range(_AT_ONCE):
                if self._next is None or self._target is not None or self._wait() > 0:
                    break
                self._deliver(self._next, listener)
            await self._rest()

    async def ask(self, host: str, call: Callable[[DeckClient], Awaitable[T]]) -> T:
        """What was answered then.

        Raises:
            NotRecordedError: nobody asked it then.
            ForbiddenError: it would be a change.
        """
        return await call(PlayedClient(host, self))

    def _hold(self, t: float) -> None:
        self._anchor = (self._monotonic(), t)

    def _unbounded(self) -> float:
        since, t = self._anchor
        return t if self._paused else t + (self._monotonic() - since) * self._speed

    def _due(self) -> float:
        """When the next record is to be shown; recorded time does not go back."""
        record = self._next.record if self._next else None
        return max(self._last_t, record.t) if record else self._last_t

    def _wait(self) -> float:
        """Seconds until then."""
        left = (self._due() - self._unbounded()) / self._speed
        return math.inf if self._paused and left > 0 else left

    async def _rest(self) -> None:
        if self._target is not None:
            return
        self._news.clear()
        wait = self._wait() if self._next else math.inf
        if math.isinf(wait) and not self.fleet:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(wait) else max(wait, _TURN_S)):
                await self._news.wait()

    def _deliver(self, entry: Entry, listener: Listener) -> None:
        if self._unbounded() - self._due() > SLIP_S * self._speed:
            self._hold(self._due())
        if self.fleet and self._checkpoints.wanted(self._last_t, self.tape.header.at):
            self._checkpoints.add(self._last_t, entry, self.fleet())
        if heard := self._take(entry):
            listener(*heard)
        self._step()

    def _step(self) -> None:
        self._last_t = self._due()
        self._next = next(self._entries, None)

    def _take(self, entry: Entry) -> tuple[str, Event | LinkChange] | None:
        """Note what a record says; what of it a listener is to hear."""
        match entry.record:
            case LinkHeard(host=host, link=update) | EventHeard(host=host, event=update):
                if host in self.hosts:
                    return host, update
                self._wrong(entry, "is about a host that is not of this fleet")
            case Answered() as record:
                self.answers.note(record, entry.position)
            case LogHeard() as record:
                self.tails.setdefault((record.host, record.source), Tail()).add(record)
            case Lost(records=records):
                self._wrong(
                    entry, f"says that {records:,} records are missing: they came faster than they were written"
                )
            case None:
                self._wrong(entry, f"cannot be read: {entry.damage}")
            case End():
                pass
        return None

    def _wrong(self, entry: Entry, what: str) -> None:
        """Count a line once, however often it is read."""
        if entry.number > self._looked_at:
            self._looked_at = entry.number
            self._damaged += 1
            self._damage = f"line {entry.number} {what}"

    async def _wind(self) -> None:
        """Read on to where it is wound to, from the nearest place before it, without a word to the listener."""
        fleet = self.fleet() if self.fleet else FleetState.of(self.hosts)
        while self._target is not None:
            if self._target < self._last_t:
                fleet = self._back(self._target)
            fleet = self._read_on(fleet, self._target)
            if self._next and self._due() <= self._target:
                await asyncio.sleep(0)
                continue
            self._hold(min(self._target, self._due()))
            self._target = None
            self._arrived.set()
            self._arrived = asyncio.Event()
            self.wound(fleet)

    def _read_on(self, fleet: FleetState, target: float) -> FleetState:
        """The fleet some records later."""
        waiting: list[Heard] = []
        for _ in range(_AT_ONCE):
            if self._next is None or self._due() > target:
                break
            if self._checkpoints.wanted(self._last_t, self.tape.header.at):
                fleet = apply_all(fleet, waiting)
                waiting.clear()
                self._checkpoints.add(self._last_t, self._next, fleet)
            if heard := self._take(self._next):
                waiting.append(Heard(*heard, self._due()))
            self._step()
        return apply_all(fleet, waiting)

    def _back(self, target: float) -> FleetState:
        """The fleet at the nearest place before a time, from where it is read on."""
        place = self._checkpoints.before(target)
        self._last_t = place.t if place else self.tape.header.at
        self._entries = self.tape.entries(place.position, place.number) if place else self.tape.entries()
        self._next = next(self._entries, None)
        for tail in self.tails.values():
            tail.back(self._last_t)
        return place.fleet() if place else FleetState.of(self.hosts)
