"""One change on several hosts: sent to all at once, and repeated until each has applied or refused it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from quantdeck_console.model.host_progress import Target
from quantdeck_core.errors import NotFoundError, QuantdeckError, RemoteError
from quantdeck_core.protocol.requests import Applied

RETRY_S = 2.0


class HostRun:
    """Nothing is sent before `run`; every attempt at a host sends the same request, which is applied once.

    Attributes:
        key: a run that is started takes the place of another one with the same key.
        subject: what it is, e.g. `rollback of int4_v1`.
        done: what holds once all have applied it.
        noun: what a target is: `gateway` or `host`.
        lasting: it goes on when its dialog is closed; else it ends with that.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        ask: Callable[[Target], Awaitable[Applied]],
        *,
        key: str,
        subject: str,
        done: str,
        noun: str = "gateway",
        lasting: bool = False,
        clock: Callable[[], float],
        changed: Callable[[], None],
        retry_s: float = RETRY_S,
    ) -> None:
        """`changed` is called whenever there is something new to show."""
        self.targets = list(targets)
        self.key, self.subject, self.done, self.noun, self.lasting = key, subject, done, noun, lasting
        self.started = False
        self._ask, self._clock, self._changed, self._retry_s = ask, clock, changed, retry_s

    @property
    def known(self) -> list[Target]:
        """Targets that it is about, as far as is known."""
        return [target for target in self.targets if target.heard]

    @property
    def unheard(self) -> list[Target]:
        """Targets of which nobody knows whether it is about them."""
        return [target for target in self.targets if not target.heard and target.progress != "absent"]

    @property
    def applied(self) -> bool:
        """All that it is about have acknowledged, and there may be no other."""
        return bool(self.known) and all(target.progress in ("applied", "absent") for target in self.targets)

    @property
    def problem(self) -> str:
        """Why less of it is certain than it should be; empty where nothing is wrong."""
        return ""

    @property
    def open(self) -> list[Target]:
        """Targets that a retry may still reach."""
        return [target for target in self.targets if target.open]

    @property
    def finished(self) -> bool:
        """Nothing more will happen: applied or refused everywhere."""
        return self.started and not self.open

    async def run(self) -> None:
        """Send to all at once; return when each has applied or refused it."""
        if self.started:
            return
        self.started = True
        await asyncio.gather(*(self._until_answered(target) for target in self.targets))

    async def _until_answered(self, target: Target) -> None:
        target.since = self._clock()
        target.progress = "sent"
        self._changed()
        while True:
            before = (target.progress, target.detail)
            await self._once(target)
            if before != (target.progress, target.detail):
                self._changed()
            if not target.open:
                return
            await asyncio.sleep(self._retry_s)

    async def _once(self, target: Target) -> None:
        try:
            answer = await self._ask(target)
        except QuantdeckError as error:
            target.detail = f"{error.detail} {error.hint}".strip()
            status = error.status if isinstance(error, RemoteError) else error.http_status
            if status >= 500:
                target.progress = "unreachable"
                self.unanswered(target)
                return
            nothing_there = not target.heard and status == NotFoundError.http_status
            target.progress = "absent" if nothing_there else "refused"
            self.answered(target)
        else:
            target.heard = True
            target.detail, target.effective_ms = answer.detail, answer.effective_ms
            target.progress = "sent" if answer.pending else "applied"
            self.answered(target)

    def unanswered(self, target: Target) -> None:
        """Hook: an attempt failed, and there will be another one."""

    def answered(self, target: Target) -> None:
        """Hook: the agent has taken it over, or refuses it."""
