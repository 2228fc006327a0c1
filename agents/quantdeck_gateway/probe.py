"""Asks replicas for one token: those that gave no sign of life for a while, and those that are to come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from quantdeck_gateway import ejection, upstream
from quantdeck_gateway.answer_head import AnswerHead
from quantdeck_gateway.arm import Arm
from quantdeck_gateway.replica import Replica
from quantdeck_gateway.table import Route, RoutingTable
from quantdeck_gateway.unreachable import unreachable
from quantdeck_gateway.upstream import UpstreamConnection

Outcome = Literal["passed", "elsewhere", "failed", "refused", "slow", "nothing"]
"""What came of a question: `elsewhere` asks on the other path, `refused` is a 503, `nothing` says nothing about it."""

_PATHS = (b"/v1/completions", b"/v1/chat/completions")
_NOT_SERVED = frozenset({404, 405, 501})


class Result(NamedTuple):
    """An outcome and, where it is none to be glad of, why: it continues "it ..."."""

    outcome: Outcome
    reason: str = ""


def question(path: bytes, model: str) -> bytes:
    """The body that asks for one token."""
    ask: dict[str, object] = {"model": model, "max_tokens": 1}
    if path == _PATHS[0]:
        ask["prompt"] = "ping"
    else:
        ask["messages"] = [{"role": "user", "content": "ping"}]
    return msgspec.json.encode(ask)


def result_of(status: int, path: bytes) -> Result:
    """What an answer says. Who refuses the question itself (a key is missing, a model is unknown) is alive."""
    if status in _NOT_SERVED and path == _PATHS[0]:
        return Result("elsewhere")
    if status == 503:
        return Result("refused", "answered with 503")
    if ejection.is_failure(status):
        return Result("failed", f"answered with {status}")
    return Result("passed")


class Probe:
    """One question to one replica, over a connection of its own: it also shows that new ones are accepted.

    Args:
        done: called once, unless it is cancelled before.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, replica: Replica, path: bytes, model: str, done: Callable[[Result], None]
    ) -> None:
        self._replica, self._path, self._done = replica, path, done
        self._connection: UpstreamConnection | None = None
        self._status = 0
        self._task = loop.create_task(self._ask(loop, replica.model or model))

    async def _ask(self, loop: asyncio.AbstractEventLoop, model: str) -> None:
        replica, body = self._replica, question(self._path, model)
        try:
            self._connection = await upstream.connect(replica, loop)
        except OSError as error:
            why = unreachable(error, replica.host)
            self._done(Result("nothing" if why.ours else "failed", why.reason))
            return
        fields = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n" % len(body)
        if replica.authorization:
            fields += b"authorization: %b\r\n" % replica.authorization
        self._connection.send(self, replica.head(self._path) + fields + b"\r\n" + body)

    def answer_part(self, head: AnswerHead | None, body: bytes, done: bool) -> None:
        """A part of the answer; of no matter but for its status."""
        if head is not None:
            self._status = head.status
        if done:
            self._connection = None
            self._done(result_of(self._status, self._path))

    def keep(self, body: bytes) -> None:
        """Of no matter."""

    def answer_broken(self, reason: str) -> None:
        """It broke off."""
        self._connection = None
        self._done(Result("failed", f"broke off: {reason}"))

    def cancel(self) -> None:
        """Ask no longer."""
        self._task.cancel()
        if self._connection is not None:
            self._connection.cancel()


class Watch:
    """What the prober remembers of one replica."""

    def __init__(self, now: float) -> None:
        self.path = _PATHS[0]
        self.signs = -1
        self.last_sign = now
        self.probe: Probe | None = None
        self.signs_before = 0
        self.asked_at = 0.0


class Prober:
    """Looks at every replica once a second.

    Args:
        every_s: how long one in rotation may give no sign of life before it is asked; 0 asks ejected ones alone, and
            those of experiments that nobody has judged for a while: then nobody else looks after engines either.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, table: RoutingTable, every_s: float) -> None:
        self._loop, self._table, self._every_s = loop, table, every_s
        self._watches: dict[Replica, Watch] = {}

    def tick(self, now: float) -> None:
        """Begin questions that are due and end those that take too long."""
        watches, self._watches = self._watches, {}
        for route in self._table.live:
            for arm in (route.control, route.treatment):
                for replica in arm.replicas:
                    self._watches[replica] = watch = watches.pop(replica, None) or Watch(now)
                    self._look(arm, replica, watch, route, now)
        for watch in watches.values():  # of replicas that are no longer in the config
            if watch.probe is not None:
                watch.probe.cancel()

    def _look(self, arm: Arm, replica: Replica, watch: Watch, route: Route, now: float) -> None:
        every_s, model = ejection.LATE_PROBE_EVERY_S if route.late else self._every_s, route.served_name
        if replica.signs != watch.signs:
            watch.signs, watch.last_sign = replica.signs, now
        if watch.probe is not None:
            deadline = ejection.deadline_s(replica.standing, replica.in_flight)
            if now - watch.asked_at >= deadline:
                watch.probe.cancel()
                self._heard(arm, replica, watch, Result("slow", f"gave no token within {deadline:g} s"))
        elif ejection.probe_due(replica.standing, watch.last_sign, every_s, now):
            watch.asked_at, watch.signs_before = now, replica.signs
            watch.probe = Probe(
                self._loop, replica, watch.path, model, lambda result: self._heard(arm, replica, watch, result)
            )

    def _heard(self, arm: Arm, replica: Replica, watch: Watch, result: Result) -> None:
        now, standing = self._loop.time(), replica.standing
        watch.probe, watch.last_sign = None, now
        outcome = result.outcome
        if outcome == "elsewhere":
            watch.path, watch.last_sign = _PATHS[1], float("-inf")  # in the next second
        elif outcome == "passed":
            arm.note(replica, ejection.probe_passed(standing, now))
        elif outcome != "nothing" and not ejection.proves_nothing(
            standing,
            refused=outcome == "refused",
            lived=replica.signs != watch.signs_before,
            in_flight=replica.in_flight,
            last=arm.rotation == [replica],
        ):
            arm.note(replica, ejection.probe_failed(standing, f"it {result.reason}", now))

    def stop(self) -> None:
        """Ask nobody any more."""
        for watch in self._watches.values():
            if watch.probe is not None:
                watch.probe.cancel()
        self._watches.clear()
