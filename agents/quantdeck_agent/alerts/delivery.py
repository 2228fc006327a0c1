"""Hands messages to one receiver, one after the other, again and again until it takes them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from quantdeck_agent.alerts.outbox import Message, Outbox
from quantdeck_agent.alerts.receivers import Target
from quantdeck_agent.alerts.sending import sender_for
from quantdeck_core.alerts.retry import KEPT_S, Attempt, pause_s
from quantdeck_core.durations import spoken
from quantdeck_core.protocol.alerts import ReceiverStatus

log = logging.getLogger("quantdeck.alerts")
Tell = Callable[[str, str, str], None]
"""`tell(level, text, hint)` of a receiver's own trouble."""


class Delivery:
    """One receiver's queue at work.

    Args:
        overdue_s: after so long without success `tell` hears of it, once until it works again.
        tell: also hears of a message that the receiver refuses for good.
        complained: whether it was told of trouble that is not over yet.
    """

    def __init__(
        self, host: str, target: Target, outbox: Outbox, overdue_s: float, tell: Tell, *, complained: bool = False
    ) -> None:
        self._host, self._target, self._outbox = host, target, outbox
        self._overdue_s, self._tell = overdue_s, tell
        self._sender = sender_for(target)
        self._wake = asyncio.Event()
        self._failures, self._problem = 0, ""
        self._failing_since = 0.0
        self._complained = complained

    def wake(self) -> None:
        """Something waits."""
        self._wake.set()

    def status(self) -> ReceiverStatus:
        """How it is with this receiver."""
        return ReceiverStatus(
            name=self._target.name,
            kind=self._target.receiver.kind,
            waiting=len(self._outbox.of(self._target.name)),
            failing_since=self._failing_since,
            problem=self._problem,
        )

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                waiting = self._outbox.of(self._target.name)
                if not waiting:
                    await self._wake.wait()
                    self._wake.clear()
                    continue
                await self._deliver(waiting[0])
        finally:
            await self._sender.close()

    async def _deliver(self, message: Message) -> None:
        try:
            attempt = await self._sender.send(self._host, message.notice)
        except Exception as error:
            # One message must not end all those after it; the text of an unforeseen error may hold an address.
            attempt = Attempt(outcome="again", problem=f"sending failed ({type(error).__name__})")
        now = time.time()
        if attempt.outcome != "again":
            self._outbox.drop(message)
            self._answered(attempt, message)
            return
        self._failures += 1
        self._problem = attempt.problem
        self._failing_since = self._failing_since or now
        log.warning("%s did not take page %d: %s", self._target.name, message.notice.page.id, attempt.problem)
        since = min(message.queued, self._failing_since)
        if now - message.queued >= KEPT_S:
            log.error("%s took nothing for a day: page %d is given up", self._target.name, message.notice.page.id)
            self._outbox.drop(message)
        next_at = time.monotonic() + pause_s(self._failures, random.random(), attempt.retry_after_s)
        if not self._complained:
            await asyncio.sleep(min(next_at - time.monotonic(), max(0.0, self._overdue_s - (now - since))))
            self._complain_where_overdue(since, attempt)
        await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    def _complain_where_overdue(self, since: float, attempt: Attempt) -> None:
        if time.time() - since < self._overdue_s:
            return
        self._complained = True
        text = f"pages could not be delivered to {self._target.name} for {spoken(self._overdue_s)}: {attempt.problem}"
        self._tell("fail", text, "Check the receiver in the alerts file; `quantdeck alerts list` shows what waits.")

    def _answered(self, attempt: Attempt, message: Message) -> None:
        name = self._target.name
        if attempt.outcome == "refused":
            log.error("%s refused page %d: %s", name, message.notice.page.id, attempt.problem)
            known, self._problem = self._complained and self._problem == attempt.problem, attempt.problem
            self._failing_since = self._failing_since or time.time()
            self._complained = True
            if known:
                return
            text = f"{name} refused a page for good: {attempt.problem}"
            self._tell("fail", text, "Its address or its key in the alerts file is wrong, or was withdrawn.")
            return
        self._failures, self._problem, self._failing_since = 0, "", 0.0
        if self._complained:
            self._complained = False
            self._tell("ok", f"pages are delivered to {name} again", "")
