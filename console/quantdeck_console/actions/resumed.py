"""Rollbacks that were asked for on this machine before, and that a host has not acknowledged: sent on from here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from itertools import groupby

from quantdeck_console.guard_asks import Asks
from quantdeck_console.link.interface import FleetLink
from quantdeck_console.model.deck import DeckModel
from quantdeck_console.pending import PendingFile, PendingFileError
from quantdeck_core.fleet.state import HostView
from quantdeck_core.rollout.said import Said, request_of, said_of
from quantdeck_core.rollout.several import Ended, decide
from quantdeck_core.rollout.wish import Wish

LOOK_S = 1.0


class Resumed:
    """What another console or a command has left open, decided as `quantdeck guard` does; latches are not carried.

    Attributes:
        wishes: those that are open, on hosts of this fleet.
        expired: those that are over and were not carried out.
    """

    def __init__(
        self,
        link: FleetLink,
        file: PendingFile,
        model: DeckModel,
        *,
        by: str,
        mine: Callable[[], Collection[str]],
        tell: Callable[[str], None],
        readonly: bool,
    ) -> None:
        """Look after a file.

        Args:
            mine: request ids of rollbacks that this console sends already.
            tell: called with what people should hear.
            readonly: show them and send nothing.
        """
        self.wishes: tuple[Wish, ...] = ()
        self.expired: list[Wish] = []
        self._link, self._file, self._model = link, file, model
        self._by, self._mine, self._tell, self._readonly = by, mine, tell, readonly
        self._stamp: tuple[int, int] | None = None
        self._stored: tuple[Wish, ...] = ()
        self._asks = Asks(lambda _key, _answer: self._wake.set())
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Look once a second, and whenever a host is back, until cancelled."""
        try:
            while True:
                self._wake.clear()
                over = self._look()
                for ended in over:
                    self._say(ended)
                if over:
                    await self._drop([ended.wish for ended in over])
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            await self._asks.end()

    def back(self, host: str) -> None:
        """A host says how it stands: what is still to be done there is asked at once."""
        if self.wishes:
            self._asks.again(host)
            self._wake.set()

    def _look(self) -> list[Ended]:
        """Ask what is to be asked; what is over."""
        self._read()
        hosts, mine = self._model.fleet.hosts, self._mine()
        open_ones = [one for one in self._stored if not one.source and one.host in hosts and one.request_id not in mine]
        keep: list[Wish] = []
        over: list[Ended] = []
        for name, group in groupby(sorted(open_ones, key=lambda one: one.experiment), lambda one: one.experiment):
            wishes = list(group)
            said = {one.host: one for wish in wishes if (one := _said(hosts[wish.host], name))}
            decision = decide(
                name, (), said, wishes,
                asked=self._asks.sent, answered=self._asks.answered, by=self._by, now=self._model.clock(),
            )  # fmt: skip
            keep += decision.keep
            over += decision.ended
            for wish in decision.ask if not self._readonly else ():
                self._ask(wish, said[wish.host])
        self.wishes = tuple(keep)
        ended = [one.wish for one in over]
        self._stored = tuple(one for one in self._stored if one not in ended)
        return over

    def _ask(self, wish: Wish, seen: Said) -> None:
        change = request_of(wish, seen)
        self._asks.start(
            (wish.experiment, wish.host, change.request_id),
            lambda: self._link.ask(wish.host, lambda client: client.roll_back(wish.experiment, change)),
        )

    def _read(self) -> None:
        stamp = self._file.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._stored = self._file.read()
            except PendingFileError as error:
                self._tell(f"x {error.title}: {error.detail}")

    def _say(self, ended: Ended) -> None:
        if ended.kind == "expired":
            self.expired.append(ended.wish)
        self._tell(f"{ended.wish.experiment} on {ended.wish.host}: {ended.text}")

    async def _drop(self, wishes: list[Wish]) -> None:
        if self._readonly:
            return
        try:
            await asyncio.to_thread(self._file.change, (), wishes)
        except PendingFileError as error:
            self._tell(f"x {error.title}: {error.detail}")


def _said(view: HostView, experiment: str) -> Said | None:
    ahead = view.status.sample.t - view.heard_at if view.status and view.heard_at else 0.0
    return said_of(view, experiment, view.heard_at or 0.0, ahead)
