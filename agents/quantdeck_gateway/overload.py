"""What keeps an arm from taking on more than it can do: its queue, its rung, and what its engines say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from quantdeck_core.protocol.gateway import Limits, OverloadCounters, Priority
from quantdeck_gateway.admission import Decision, Load, Rung, Shed, Wait, cap_of, decide, level_of, retry_after
from quantdeck_gateway.histogram import Histogram
from quantdeck_gateway.ladder import Ladder, ServiceRate
from quantdeck_gateway.pressure import Gauge, Reading, Window, pressed
from quantdeck_gateway.queue import RANK, Queue, Waiting

WAIT_BOUNDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 60.0)
_SILENT_S = 10.0
"""An engine without metrics, or too slow to give them, is not asked again for so long."""


class Slots(Protocol):
    """The arm.

    Attributes:
        in_flight: requests that its engines work on.
        open: a request that arrives while fewer are in flight goes on without another thought; 0 where each is thought
            about.
    """

    in_flight: int
    open: int


class Waiter(Waiting, Protocol):
    """A request that waits. Who has left is no longer in the queue, so that neither is called then.

    Attributes:
        start: there is a place: goes to an engine.
        refuse: there will be none: answers 429; it may come again after so many seconds.
    """

    start: Callable[[], None]
    refuse: Callable[[int], None]


class Engine(Protocol):
    """A replica, as far as it is asked how full it is."""

    async def pressure(self) -> Reading | None:
        """What its metrics say; None where it has none, or took too long."""


class Overload:
    """One arm's.

    Args:
        clock: seconds; every `now` is of it.

    Attributes:
        shed: requests that were refused, by rank.
        capped: requests whose answer was cut shorter.
        spilled: requests that went to the other arm.
        waited: how long those waited that got a place.
    """

    def __init__(self, arm: Slots, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._arm, self.limits, self._clock = arm, limits, clock
        self.shed = [0] * len(RANK)
        self.capped = self.spilled = 0
        self.waited = Histogram(WAIT_BOUNDS)
        self._queue: Queue[Waiter] = Queue()
        self._ladder, self._window, self._rate = Ladder(), Window(limits.max_in_flight), ServiceRate()
        self._moved_at = 0.0
        self._refused, self._refused_until = len(RANK), 0.0
        self._woken = False
        self._gauges: dict[Engine, Gauge] = {}
        self._asking: asyncio.Task[None] | None = None
        self._reopen()

    @property
    def rung(self) -> Rung:
        """How far up the ladder it is."""
        return self._ladder.rung

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def cap(self) -> int | None:
        """The longest answer of whatever goes to an engine now, tokens; None as long as answers are not cut."""
        return cap_of(self.limits, self._ladder.rung)

    def apply(self, limits: Limits) -> None:
        """These limits hold from now on, also for those that wait."""
        self.limits = limits
        self._window.resize(limits.max_in_flight)
        self._reopen()
        self.wake()

    # Requests.

    def arrive(self, priority: Priority, size: int, spill_open: bool, now: float) -> Decision:
        """Decide about a request that holds so many bytes. Who is to wait must be given to `queue`."""
        load = self._load(now)
        decision = decide(load, self.limits, priority, size, self._ladder.rung, spill_open)
        if isinstance(decision, Shed):
            self._was_shed(RANK[priority], RANK[priority], now)
            self._needs(Rung.SHED, now)
        elif isinstance(decision, Wait):
            self._needs(max(Rung.QUEUE, level_of(load, self.limits, spill_open)), now)
        elif decision.spilled:
            self.spilled += 1
            self._needs(Rung.SPILL, now)
        return decision

    def queue(self, waiter: Waiter, displaces: bool, now: float) -> None:
        """Let it wait."""
        victim = self._queue.youngest_low() if displaces else None
        if victim is not None:
            self._queue.remove(victim)
            self._was_shed(RANK[victim.priority], RANK[victim.priority], now)
            self._needs(Rung.SHED, now)
            victim.refuse(self._retry_after(now))
        if not self._queue:
            self._moved_at = now
        self._queue.push(waiter)
        self._reopen()

    def leave(self, waiter: Waiter) -> None:
        """Its client has left."""
        self._queue.remove(waiter)
        self._reopen()

    def wake(self) -> None:
        """There may be a place; whoever is next gets it in the loop's next round."""
        if self._queue and not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._start_next)

    def _start_next(self) -> None:
        self._woken = False
        now = self._clock()
        self._give_up(now)
        while self._arm.in_flight < self._window.room and (waiter := self._queue.pop()) is not None:
            self._moved_at = now
            self.waited.observe(now - waiter.since)
            waiter.start()
        self._reopen()

    def _give_up(self, now: float) -> None:
        for waiter in self._queue.older_than(now - self.limits.queue_s):
            rank = RANK[waiter.priority]
            self._was_shed(rank, rank - 1, now)
            self._needs(Rung.SHED, now)
            waiter.refuse(self._retry_after(now))

    def _was_shed(self, rank: int, refused: int, now: float) -> None:
        """For a while nobody less important than who was shed may wait; not even its equals, if it waited in vain."""
        self.shed[rank] += 1
        self._refused = min(refused, self._refused) if now < self._refused_until else refused
        self._refused_until = now + self.limits.queue_s / 4

    # Every second.

    def second(self, now: float, ended: int, seconds: float, spill_open: bool) -> bool:
        """A second has passed; whether the engines are worth asking.

        Args:
            ended: answers of this arm until now.
            seconds: what they took together.
            spill_open: the other arm may take users of this one, and has room.
        """
        self._rate.observe(ended, seconds)
        self._give_up(now)
        busy = bool(self._queue) or 2 * self._arm.in_flight >= self._window.room
        if not busy:
            self._gauges.clear()
        waiting = sum(gauge.last.waiting for gauge in self._gauges.values())
        self._window.second(pressed(list(self._gauges.values())), self._arm.in_flight, waiting)
        self._needs(level_of(self._load(now), self.limits, spill_open), now)
        self._reopen()
        self.wake()
        return busy

    def ask(self, engines: Sequence[Engine], now: float) -> None:
        """Ask engines how full they are, unless they are still being asked."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask(engines, now))

    def stop(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, engines: Sequence[Engine], now: float) -> None:
        self._gauges = {engine: self._gauges.get(engine) or Gauge() for engine in engines}
        due = [(engine, gauge) for engine, gauge in self._gauges.items() if now >= gauge.ask_at]
        readings = await asyncio.gather(*(engine.pressure() for engine, _ in due))
        for (_, gauge), reading in zip(due, readings, strict=True):
            gauge.read(reading or Reading())
            if reading is None:
                gauge.ask_at = now + _SILENT_S

    def counters(self) -> OverloadCounters:
        """As the control socket shows it."""
        return OverloadCounters(
            rung=int(self.rung),
            waiting=self.waiting,
            shed_high=self.shed[RANK["high"]],
            shed_normal=self.shed[RANK["normal"]],
            shed_low=self.shed[RANK["low"]],
            capped=self.capped,
            spilled=self.spilled,
        )

    def _load(self, now: float) -> Load:
        queue, in_flight, room = self._queue, self._arm.in_flight, self._window.room
        youngest = queue.youngest_low()
        return Load(
            in_flight=in_flight,
            room=room,
            waiting=queue.lengths(),
            waiting_bytes=queue.bytes,
            displaceable=None if youngest is None else youngest.size,
            # Of places that were just left the next one is about to take each.
            rate=self._rate.per_second(max(in_flight, room), now - self._moved_at if queue else 0.0),
            pressed=self._window.pressed,
            refused=self._refused if now < self._refused_until else len(RANK),
        )

    def _retry_after(self, now: float) -> int:
        return retry_after(self._load(now), self.limits)

    def _needs(self, level: Rung, now: float) -> None:
        if self._ladder.needs(level, now):
            self._reopen()

    def _reopen(self) -> None:
        thought_about = self._queue or self.cap is not None
        self._arm.open = 0 if thought_about else self._window.room
