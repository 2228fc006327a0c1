"""What a guard says: one line an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from quantdeck_core.errors import QuantdeckError
from quantdeck_core.fleet.state import HostView
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.lowest import Lowering
from quantdeck_core.rollout.said import Said
from quantdeck_core.rollout.several import Decision, Ended, Key
from quantdeck_core.rollout.wish import Wish
from quantdeck_core.text import clean


class GuardEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened.

    Attributes:
        t: UNIX time, seconds.
        event: `link`, `rolled-back` (a gateway's agent did), `pending`, `asked`, `waiting` (an agent goes on by
            itself), `failed` (it is tried again), `effective`, `dropped`, `expired`, `disk`.
        request_id: of the rollback that it is about.
    """

    t: float
    event: str
    text: str
    host: str = ""
    experiment: str = ""
    request_id: str = ""

    def line(self) -> str:
        """As text; nothing of it reaches the terminal as a code."""
        at = datetime.fromtimestamp(self.t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = " ".join(part for part in (self.host, self.experiment) if part)
        return clean(f"{at} {about}{': ' if about else ''}{self.text}", one_line=True)


class Report:
    """Says each thing once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: UNIX time."""
        self._clock = clock
        self._last: dict[tuple[str, ...], str] = {}
        self._events: list[GuardEvent] = []

    def take(self) -> list[GuardEvent]:
        """What was not taken yet, oldest first."""
        events, self._events = self._events, []
        return events

    def link(self, view: HostView) -> None:
        """A host's link changed."""
        link = view.link
        match link.state:
            case "connecting":
                return
            case "connected" if link.read_only or link.role == "viewer":
                why = link.detail or f"the connection has the role {link.role}"
                text = f"watched, but nothing can be asked of it: {why}"
            case "connected":
                text = "watched"
            case "lost":
                text = f"cannot be reached: {link.detail}"
            case "refused":
                text = f"refuses the connection: {link.detail}"
        self._once(("link", view.name), "link", text, host=view.name)

    def said(self, experiment: str, said: Iterable[Said]) -> None:
        """How the gateways stand."""
        for one in said:
            text = f"rolled back by {one.by}: {one.reason}" if one.latched else ""
            stamp = f"{one.stamp!r}{text}"
            if self._last.get(("said", one.host, experiment)) == stamp:
                continue
            self._last["said", one.host, experiment] = stamp
            if one.latched:
                self._say("rolled-back", text, one.host, experiment)

    def decided(self, decision: Decision) -> None:
        """What is pending, what agents do by themselves, and what is over."""
        ready = {wish.key for wish in (*decision.ask, *decision.waiting)}
        for wish in decision.keep:
            if wish.key not in ready:
                self._wish(wish, "pending", f"PENDING until the host answers: {wish.reason}")
        for wish in decision.waiting:
            self._wish(wish, "waiting", "its agent has it and goes on by itself, nobody is called done yet")
        for ended in decision.ended:
            self._ended(ended)

    def asked(self, wish: Wish) -> None:
        """A rollback is sent."""
        self._wish(wish, "asked", f"asked to roll back: {wish.reason}")

    def lowering(self, experiment: str, lowering: Lowering) -> None:
        """A weight is to fall."""
        percent = bp_to_percent(lowering.change.weight_bp)
        text = f"asked to go to {percent} %: {lowering.change.reason}"
        key = ("weight", lowering.host, lowering.change.request_id)
        self._once(key, "asked", text, lowering.host, experiment, lowering.change.request_id)

    def answer(self, key: Key, answer: Applied | QuantdeckError) -> None:
        """What a host answered, or that it did not."""
        experiment, host, request_id = key
        if isinstance(answer, QuantdeckError):
            text = f"not applied, it is tried again: {answer.detail} {answer.hint}".rstrip()
            event = "failed"
        elif answer.pending:
            event, text = "waiting", f"PENDING there: {answer.detail}"
        else:
            return  # what the host says of itself counts: this may be the answer of an earlier time
        self._once(("answer", *key), event, text, host, experiment, request_id)

    def disk(self, problem: str) -> None:
        """The file of what is pending cannot be used; empty where it can again."""
        if problem or self._last.get(("disk",)):
            self._once(("disk",), "disk", problem or "what is pending is on disk again")

    def _wish(self, wish: Wish, event: str, text: str) -> None:
        self._once(("wish", *wish.key), event, text, wish.host, wish.experiment, wish.request_id)

    def _ended(self, ended: Ended) -> None:
        wish = ended.wish
        self._last.pop(("wish", *wish.key), None)
        if wish.source and ended.kind in ("already", "gone"):
            return  # nobody asked for it
        event = {"done": "effective", "expired": "expired"}.get(ended.kind, "dropped")
        self._say(event, ended.text, wish.host, wish.experiment, wish.request_id)

    def _once(
        self, key: tuple[str, ...], event: str, text: str, host: str = "", experiment: str = "", request_id: str = ""
    ) -> None:
        if self._last.get(key) != text:
            self._last[key] = text
            self._say(event, text, host, experiment, request_id)

    def _say(self, event: str, text: str, host: str = "", experiment: str = "", request_id: str = "") -> None:
        self._events.append(
            GuardEvent(t=self._clock(), event=event, text=text, host=host, experiment=experiment, request_id=request_id)
        )
