"""Messages that a receiver has not taken yet: on disk, so that they outlive the agent, and in order."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable

import msgspec

from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.alerts.board import Notice

KIND = "alert-message"
MOST_WAITING = 100
"""Of one receiver."""
log = logging.getLogger("quantdeck.alerts")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One notice for one receiver.

    Attributes:
        id: rises by one.
        receiver: its name; its address and key are not kept here.
        queued: UNIX time.
    """

    id: int
    receiver: str
    notice: Notice
    queued: float


class Outbox:
    """What waits, by receiver. A disk that refuses costs only what an agent that is killed would have forgotten."""

    def __init__(self, store: Store) -> None:
        self._store = store
        known = sorted(store.all(KIND, Message).values(), key=lambda one: one.id)
        self._waiting: dict[str, list[Message]] = {}
        for one in known:
            self._waiting.setdefault(one.receiver, []).append(one)
        self._last = known[-1].id if known else 0

    def of(self, receiver: str) -> tuple[Message, ...]:
        """Oldest first."""
        return tuple(self._waiting.get(receiver, ()))

    def compose(self, notice: Notice, receivers: Iterable[str], now: float) -> list[Message]:
        """A notice for each of them, not queued yet. A repetition of what still waits would only be noise."""
        messages = []
        for receiver in receivers:
            waiting = self._waiting.get(receiver, ())
            if notice.action == "repeat" and any(one.notice.page.id == notice.page.id for one in waiting):
                continue
            self._last += 1
            messages.append(Message(id=self._last, receiver=receiver, notice=notice, queued=now))
        return messages

    def save(self, messages: Iterable[Message]) -> None:
        """Put them on disk.

        Raises:
            StateWriteError: the disk refused.
        """
        for message in messages:
            self._store.put(KIND, str(message.id), message)

    def add(self, messages: Iterable[Message]) -> None:
        """Let them wait."""
        for message in messages:
            waiting = self._waiting.setdefault(message.receiver, [])
            waiting.append(message)
            if len(waiting) > MOST_WAITING:
                self._give_up(min(waiting, key=_worth))

    def _give_up(self, message: Message) -> None:
        log.error(
            "too many messages wait for %s: one about page %d is dropped", message.receiver, message.notice.page.id
        )
        self.drop(message)

    def drop(self, message: Message) -> None:
        """It was taken, or nobody wants it any more."""
        waiting = self._waiting.get(message.receiver, [])
        if message in waiting:
            waiting.remove(message)
        if not waiting:
            self._waiting.pop(message.receiver, None)
        with contextlib.suppress(StateWriteError):
            self._store.delete(KIND, str(message.id))

    def keep_only(self, receivers: Iterable[str]) -> None:
        """Forget what waits for receivers that are there no more."""
        known = set(receivers)
        for message in [one for name, ones in self._waiting.items() if name not in known for one in ones]:
            self.drop(message)


def _worth(message: Message) -> tuple[bool, bool, int]:
    """What is given up first: news of what was told before, then warnings, then the oldest."""
    return message.notice.action == "trigger", message.notice.page.level == "fail", message.id
