"""The watch over a fleet: what one gateway has rolled back is rolled back on all, and what is pending is done."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from quantdeck_console.guard_asks import Asks
from quantdeck_console.guard_report import GuardEvent, Report
from quantdeck_console.link.interface import FleetLink
from quantdeck_console.pending import PendingFile, PendingFileError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import FleetState, HostView, apply
from quantdeck_core.protocol.events import Event, ExperimentEvent, SampleEvent, Snapshot
from quantdeck_core.rollout.lowest import Lowering, lowered
from quantdeck_core.rollout.said import Said, heard_now, request_of, said_of
from quantdeck_core.rollout.several import decide
from quantdeck_core.rollout.wish import Wish

LOOK_S = 1.0
"""At least so often the file is looked at, and what paused after a failure is asked again."""


class Guard:
    """Decides anew whenever a host says something; what its end would lose is in the file."""

    def __init__(
        self,
        link: FleetLink,
        file: PendingFile,
        write: Callable[[GuardEvent], None],
        *,
        by: str,
        lowest: bool = False,
    ) -> None:
        """Watch a fleet.

        Args:
            write: called with everything that happens.
            by: who carries, for timelines.
            lowest: the lowest treatment weight wins as well, and not only a rollback's 0.
        """
        self._link, self._file, self._write, self._by, self._lowest = link, file, write, by, lowest
        self._fleet = FleetState.of(link.hosts)
        self._ahead: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._open: tuple[Wish, ...] = ()
        self._unsaved: tuple[Wish, ...] = ()
        self._stored: tuple[Wish, ...] = ()
        self._stamp: tuple[int, int] | None = None
        self._report = Report(time.time)
        self._wake = asyncio.Event()
        self._asks = Asks(lambda key, answer: self._told(lambda: self._report.answer(key, answer)))

    async def run(self, *, once: bool = False) -> bool:
        """Watch until cancelled; with `once` until each host was heard or given up, and asked what is to be asked.

        Returns:
            Whether every host was heard and nothing is left to do.
        """
        link = asyncio.create_task(self._link.run(self._hear))
        link.add_done_callback(lambda _: self._wake.set())
        try:
            while True:
                self._wake.clear()
                self._look()
                for event in self._report.take():
                    self._write(event)
                if link.done():
                    await link
                if once and self._settled():
                    return not self._open and not self._given_up
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
        finally:
            link.cancel()
            await asyncio.gather(link, self._asks.end(), return_exceptions=True)

    def _hear(self, host: str, update: Event | LinkChange) -> None:
        if not isinstance(update, LinkChange):
            self._heard[host] = time.time()
        if isinstance(update, SampleEvent | Snapshot):
            sample = update.sample if isinstance(update, SampleEvent) else update.status.sample
            self._ahead[host] = sample.t - time.time()
        if not isinstance(update, Snapshot | ExperimentEvent | LinkChange):
            return
        self._fleet = apply(self._fleet, host, update, time.monotonic())
        if isinstance(update, Snapshot):
            self._asks.again(host)
            self._given_up.discard(host)
        elif isinstance(update, LinkChange) and update.state in ("lost", "refused"):
            self._given_up.add(host)
        self._told(lambda: self._report.link(self._fleet.hosts[host]))

    def _told(self, say: Callable[[], None]) -> None:
        say()
        self._wake.set()

    def _look(self) -> None:
        """Decide for every experiment, keep what is pending, and ask."""
        self._read()
        views = self._fleet.hosts.values()
        wishes = tuple({wish.key: wish for wish in (*self._unsaved, *self._stored)}.values())
        running = {one.name for view in views if view.status for one in view.status.experiments}
        keep: list[Wish] = []
        ask: list[Callable[[], None]] = []
        for name in sorted(running | {wish.experiment for wish in wishes}):
            said = {one.host: one for view in views if (one := self._said(view, name))}
            decision = decide(
                name,
                self._fleet.hosts,
                said,
                [wish for wish in wishes if wish.experiment == name],
                asked=self._asks.sent,
                answered=self._asks.answered,
                by=self._by,
                now=time.time(),
            )
            self._report.said(name, said.values())
            self._report.decided(decision)
            keep += decision.keep
            ask += [self._rollback(wish, said[wish.host]) for wish in decision.ask]
            if self._lowest:
                ask += [self._lowering(name, one) for one in lowered(name, said.values(), self._by, time.time())]
        self._keep(tuple(keep))
        for start in ask:
            start()

    def _said(self, view: HostView, experiment: str) -> Said | None:
        return said_of(view, experiment, self._heard.get(view.name, 0.0), self._ahead.get(view.name, 0.0))

    def _rollback(self, wish: Wish, seen: Said) -> Callable[[], None]:
        change = request_of(wish, seen)

        def start() -> None:
            self._report.asked(wish)
            self._asks.start(
                (wish.experiment, wish.host, change.request_id),
                lambda: self._link.ask(wish.host, lambda client: client.roll_back(wish.experiment, change)),
            )

        return start

    def _lowering(self, experiment: str, lowering: Lowering) -> Callable[[], None]:
        host, change = lowering.host, lowering.change

        def start() -> None:
            key = (experiment, host, change.request_id)
            if key in self._asks.answered:
                return  # the host has not said so yet
            self._report.lowering(experiment, lowering)
            self._asks.start(key, lambda: self._link.ask(host, lambda client: client.change_weight(experiment, change)))

        return start

    def _read(self) -> None:
        """What commands of this machine have left to be done."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        try:
            self._stored = self._file.read()
        except PendingFileError as error:
            self._report.disk(f"{error.detail} {error.hint}")
        self._stamp = self._file.stamp()

    def _keep(self, keep: tuple[Wish, ...]) -> None:
        """Put what is open on the disk. What it refuses is done all the same, for as long as this process lives."""
        self._open = keep
        add = [wish for wish in keep if wish not in self._stored]
        drop = [wish for wish in self._stored if wish not in keep]
        self._unsaved = ()
        if not add and not drop:
            return
        try:
            self._file.change(add, drop)
            self._stored = self._file.read()
        except PendingFileError as error:
            self._unsaved = tuple(add)
            self._report.disk(f"{error.detail} {error.hint}")
        else:
            self._report.disk("")

    def _settled(self) -> bool:
        """Every host was heard or given up, and no answer is waited for."""
        views = self._fleet.hosts.values()
        return not self._asks.under_way and all(heard_now(one) or one.name in self._given_up for one in views)
