"""Shadows: copies of one arm's requests whose answers are judged and thrown away, so that an arm without users is known
before it gets some. No user waits for them."""

from __future__ import annotations

import asyncio
import time
from time import perf_counter
from typing import TYPE_CHECKING

from quantdeck_gateway import upstream
from quantdeck_gateway.handover import FinishedAnswer
from quantdeck_gateway.headers import Fields
from quantdeck_gateway.limits import KEPT_BYTES, MIB, PROMPT_BYTES, Deadlines
from quantdeck_gateway.request import Request, RequestRefusedError
from quantdeck_gateway.rewrite import renamed
from quantdeck_gateway.routing import Placement, choose
from quantdeck_gateway.tee import WHOLE, Tee
from quantdeck_gateway.unreachable import unreachable

if TYPE_CHECKING:
    from quantdeck_gateway.answer_head import AnswerHead
    from quantdeck_gateway.arm import Arm
    from quantdeck_gateway.replica import Replica
    from quantdeck_gateway.upstream import UpstreamConnection

MOST_IN_FLIGHT = 64
MOST_BODY_BYTES = 1 * MIB
"""Longer requests are not copied: with those in flight they would hold more memory than all users' together."""


class Shadows:
    """The shadows of the arm that answers them.

    Attributes:
        ended: how many, by how; `skipped` ones were never begun: the arm had no room, or the request was too long.
    """

    def __init__(self) -> None:
        self.running: set[Shadow] = set()
        self.ended: dict[str, int] = {"done": 0, "failed": 0, "cancelled": 0, "skipped": 0}

    def tick(self, deadlines: Deadlines) -> None:
        """A second has passed."""
        for shadow in list(self.running):
            shadow.tick(deadlines)

    def cancel(self, *, removed_only: bool = False) -> None:
        """Break off all, or those of replicas that are removed: nothing waits for them, so that nothing is drained."""
        for shadow in list(self.running):
            if shadow.replica.removed or not removed_only:
                shadow.cancel()


class Copies:
    """Which of an arm's requests are copied, and to where.

    Users and not requests are sampled, by a hash that is independent of the split: so whole conversations are copied,
    which keeps prefix caches warm on the other side too, and the same users are compared. The tee takes its sample by
    the same hash when there is too much: who is shadowed is also judged then.

    Args:
        share_bp: basis points of them.
    """

    def __init__(self, to: Arm, share_bp: int) -> None:
        self._to, self._share = to, WHOLE * share_bp // 10_000
        self._owed = 0

    def wants(self, placement: Placement | None) -> bool:
        """Whether this request is in the sample; of those without a user, every so-manieth is."""
        if placement is not None:
            return placement.sample < self._share
        self._owed += self._share
        if self._owed < WHOLE:
            return False
        self._owed -= WHOLE
        return True

    def copy(
        self,
        loop: asyncio.AbstractEventLoop,
        tee: Tee,
        request: Request,
        head: Fields,
        body: bytes,
        placement: Placement | None,
    ) -> None:
        """Ask the other arm the same, where it has nothing better to do.

        Args:
            head, body: of the request, which has been sent and has them no longer.
        """
        to = self._to
        shadows = to.shadows
        replica = choose(to.rotation, placement)
        try:
            if replica is not None and replica.model:
                body = renamed(body, replica.model)
        except RequestRefusedError:
            replica = None  # no engine would take it
        if replica is None or len(body) > MOST_BODY_BYTES or not has_room(to):
            shadows.ended["skipped"] += 1
            return
        shadow = Shadow(loop, tee, to, replica, placement, request.segment, body)
        shadows.running.add(shadow)
        authorization = replica.authorization or request.authorization
        shadow.start(
            b"".join(
                (
                    replica.head(request.path),
                    *head,
                    b"authorization: %b\r\n" % authorization if authorization else b"",
                    b"x-request-id: %b-shadow\r\ncontent-length: %d\r\n\r\n" % (request.request_id, len(body)),
                    body,
                )
            )
        )


def has_room(arm: Arm) -> bool:
    """Whether an arm may work on one more shadow without taking a place that a user could need."""
    running = len(arm.shadows.running)
    return running < MOST_IN_FLIGHT and arm.in_flight + running < arm.open


class Shadow:
    """One request that nobody waits for. It is not counted among those in flight: users come first."""

    _upstream: UpstreamConnection | None = None
    _status = 0
    _stream = False
    _kept_bytes = 0
    _first_at = _last_at = 0.0
    _quiet_s = 0

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tee: Tee,
        arm: Arm,
        replica: Replica,
        placement: Placement | None,
        segment: str,
        body: bytes,
    ) -> None:
        self.replica = replica
        self._loop, self._tee, self._arm, self._placement = loop, tee, arm, placement
        self._generation = arm.generation
        self._segment, self._asked_bytes = segment, len(body)
        self._prompt = (body if len(body) <= PROMPT_BYTES else b"") if arm.keeps_prompts else None
        self._kept: list[bytes] = []
        self._connecting: asyncio.Task[None] | None = None
        self._began = perf_counter()

    def start(self, data: bytes) -> None:
        """Send the request."""
        connection = self.replica.take(self._loop.time())
        if connection is None:
            self._connecting = self._loop.create_task(self._connect(data))
        else:
            self._send(connection, data)

    async def _connect(self, data: bytes) -> None:
        try:
            connection = await upstream.connect(self.replica, self._loop)
        except OSError as error:
            self._connecting = None
            if unreachable(error, self.replica.host).ours:
                self._leave("skipped")
            else:
                self._end("failed", 0)
            return
        self._connecting = None
        self._send(connection, data)

    def _send(self, connection: UpstreamConnection, data: bytes) -> None:
        self._upstream = connection
        connection.send(self, data)

    def answer_part(self, head: AnswerHead | None, body: bytes, done: bool) -> None:
        """Keep what one read brought."""
        self._quiet_s = 0
        if head is not None:
            self._status, self._stream = head.status, head.event_stream
        if body:
            if self._stream:
                self._last_at = perf_counter()
                self._first_at = self._first_at or self._last_at
            self.keep(body)
        if done:
            self._upstream = None
            self.replica.signs += self._status < 500
            self._end("failed" if self._status >= 500 else "done", self._status)

    def keep(self, body: bytes) -> None:
        """Keep a part of the answer for the analyser."""
        if self._kept_bytes < KEPT_BYTES:
            self._kept.append(body)
        self._kept_bytes += len(body)

    def answer_broken(self, reason: str) -> None:
        """The engine broke off."""
        self._upstream = None
        self._end("failed", 0)

    def tick(self, deadlines: Deadlines) -> None:
        """A second has passed."""
        self._quiet_s += 1
        if self._quiet_s > (deadlines.between_events if self._status else deadlines.first_byte):
            self._stop_upstream()
            self._end("failed", 0)

    def cancel(self) -> None:
        """Break it off; nobody hears of it."""
        self._stop_upstream()
        self._leave("cancelled")

    def _stop_upstream(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        if self._upstream is not None:
            self._upstream.cancel()

    def _leave(self, end: str) -> None:
        self._arm.shadows.running.discard(self)
        self._arm.shadows.ended[end] += 1

    def _end(self, end: str, status: int) -> None:
        self._leave(end)
        if self._tee.wants(self._placement):
            self._tee.offer(self._finished(status))

    def _finished(self, status: int) -> FinishedAnswer:
        arm, placement = self._arm, self._placement
        return FinishedAnswer(
            arm.experiment,
            arm.variant,
            self._generation,
            self.replica.name,
            placement.short if placement else "",
            time.time(),
            status,
            bool(status),
            self._stream,
            self._kept_bytes > KEPT_BYTES,
            (self._first_at - self._began) * 1e3 if self._first_at else None,
            (perf_counter() - self._began) * 1e3,
            b"".join(self._kept) if status == 200 else b"",
            shadow=True,
            segment=self._segment,
            prompt_bytes=self._asked_bytes,
            streamed_ms=(self._last_at - self._first_at) * 1e3 if self._first_at else None,
            prompt=self._prompt,
        )
