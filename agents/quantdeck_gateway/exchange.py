"""One proxied request, from its routing to the last byte of its answer."""

from __future__ import annotations

import asyncio
import time
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from quantdeck_core.protocol.signals import REPETITION
from quantdeck_gateway import ejection
from quantdeck_gateway.access_log import AccessLog, End, Line, shown
from quantdeck_gateway.answers import STATUS_LINES, error_body, error_event, status_line, whole_answer
from quantdeck_gateway.arm import BROKEN, CANCELLED, Arm
from quantdeck_gateway.handover import FinishedAnswer
from quantdeck_gateway.headers import Fields
from quantdeck_gateway.limits import CLIENT_STALL_S, CONNECT_PAUSE_S, KEPT_BYTES, PROMPT_BYTES, Deadlines
from quantdeck_gateway.loops import LoopWatch
from quantdeck_gateway.reach import reach
from quantdeck_gateway.relay import Pump, Relay
from quantdeck_gateway.replica import Replica
from quantdeck_gateway.request import Request, RequestRefusedError, new_request_id
from quantdeck_gateway.rewrite import renamed
from quantdeck_gateway.routing import Placement, choose
from quantdeck_gateway.tee import Tee
from quantdeck_gateway.unreachable import Unreachable

if TYPE_CHECKING:
    from quantdeck_gateway.answer_head import AnswerHead
    from quantdeck_gateway.client import ClientConnection
    from quantdeck_gateway.upstream import UpstreamConnection


_ERRORS = (BROKEN, 5)
_PASSED_ON: Fields = []
"""What is left of the fields of a head that went to the client: a long stream need not hold them."""
_RENAMED = b"x-quantdeck-rewritten: model\r\n"


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What every exchange of a gateway uses."""

    loop: asyncio.AbstractEventLoop
    pump: Pump
    tee: Tee | None
    deadlines: Deadlines
    access_log: AccessLog | None = None


class Exchange:
    """Carries a request to a replica and its answer back, and counts how it ended, exactly once.

    It stays on the arm and generation that it began with, whatever the config says meanwhile.
    """

    __slots__ = (
        "_arm",
        "_asked_bytes",
        "_began",
        "_chunked",
        "_client",
        "_close",
        "_connecting",
        "_degraded",
        "_fields",
        "_first_at",
        "_generation",
        "_kept",
        "_kept_bytes",
        "_looped",
        "_loops",
        "_mint",
        "_placement",
        "_prompt",
        "_quiet_from",
        "_quiet_s",
        "_relay",
        "_replica",
        "_request",
        "_services",
        "_status",
        "_stream",
        "_upstream",
    )

    def __init__(
        self,
        services: Services,
        client: ClientConnection,
        request: Request,
        arm: Arm,
        replica: Replica,
        placement: Placement | None,
    ) -> None:
        self._services, self._client, self._request = services, client, request
        self._arm, self._replica, self._placement = arm, replica, placement
        self._generation, self._fields, self._mint = arm.generation, arm.fields, arm.mint
        self._upstream: UpstreamConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._relay: Relay | None = None
        self._loops: LoopWatch | None = None
        self._kept: list[bytes] = []
        self._prompt: bytes | None = None
        self._status = self._kept_bytes = self._asked_bytes = self._quiet_s = 0
        self._stream = self._chunked = self._close = self._looped = False
        self._first_at = self._quiet_from = 0.0
        self._degraded = b""
        self._began = perf_counter()

    def degrade(self, how: bytes) -> None:
        """The answer is not what the arm gives otherwise: the client is told, and it is not judged."""
        self._degraded = how
        self._fields += b"x-quantdeck-degraded: %b\r\n" % how

    def start(self) -> None:
        """Send the request on."""
        replica = self._replica
        self._arm.begin(replica)
        if not self._request.request_id:
            self._request.request_id = new_request_id()
        connection = replica.take(self._began)
        if connection is not None:
            self._send(connection)
        else:
            self._connecting = self._services.loop.create_task(self._connect())

    async def _connect(self) -> None:
        """Nothing was sent yet, so the arm may be tried once more, and only once."""
        connection = await reach(self._arm, self._replica, self._services.loop)
        if isinstance(connection, Unreachable) and await self._turn_to_another(connection):
            self._arm.retries += 1
            connection = self._replica.take(self._services.loop.time()) or await reach(
                self._arm, self._replica, self._services.loop
            )
        self._connecting = None
        if isinstance(connection, Unreachable):
            reason = f"The {self._arm.variant} engine {connection.reason}."
            self._fail(connection.status, connection.code, reason, judged=not connection.ours)
        else:
            self._send(connection)

    async def _turn_to_another(self, why: Unreachable) -> bool:
        """Choose another replica of the same arm, or the only one again after a pause; False where that is no use."""
        if why.ours:
            return False
        others = [replica for replica in self._arm.rotation if replica is not self._replica]
        other = choose(others, self._placement)
        if other is None:
            if why.code != "engine_unreachable" or self._replica.standing.ejected:
                return False
            await asyncio.sleep(CONNECT_PAUSE_S)
            return True
        self._arm.end(self._replica)
        self._replica = other
        self._arm.begin(other)
        return True

    def _send(self, connection: UpstreamConnection) -> None:
        request, replica = self._request, self._replica
        self._upstream = connection
        if replica.model:
            try:
                request.body = renamed(request.body, replica.model)
            except RequestRefusedError as refusal:
                self._stop_upstream()
                self._fail(refusal.status, refusal.code, refusal.message)
                return
            request.content_length = b""
            self._fields += _RENAMED
        head, body = request.head, request.body
        self._asked_bytes = len(body)
        if self._arm.keeps_prompts:
            self._prompt = body if len(body) <= PROMPT_BYTES else b""
        head[0] = replica.head(request.path)
        authorization = replica.authorization or request.authorization
        if authorization:
            head += (b"authorization: ", authorization, b"\r\n")
        head += (
            b"x-request-id: ",
            request.request_id,
            b"\r\ncontent-length: ",
            request.content_length or b"%d" % len(body),
            b"\r\n\r\n",
            body,
        )
        connection.send(self, b"".join(head))
        request.head = []
        request.body = b""  # it is never sent twice, so a long stream need not hold it

    # What the engine answers.

    def keep(self, body: bytes) -> None:
        """Keep a part of the answer for the analyser."""
        if self._kept_bytes < KEPT_BYTES:
            self._kept.append(body)
        self._kept_bytes += len(body)
        if self._loops is not None and self._loops.feed(body):
            self._services.loop.call_soon(self._cut_loop)  # whoever calls here has not done with these bytes

    def answer_part(self, head: AnswerHead | None, body: bytes, done: bool) -> None:
        """Pass on what one read brought, in one write."""
        if done and head is not None and head.content_length and not head.event_stream:
            self._answer_whole(head, body)
            return
        self._quiet_s = 0
        out = [] if head is None else self._begin_answer(head)
        if body:
            self.keep(body)
            if self._stream:
                self._note_event()
                if self._loops is not None and not done:
                    body = self._loops.up_to_its_end(body)
            if self._chunked:
                out += (b"%x\r\n" % len(body), body, b"\r\n") if body else ()
            else:
                out.append(body)
        if not done:
            self._client.write(b"".join(out))
            if self._loops is not None:
                self._cut_loop()
            return
        if self._chunked:
            out.append(b"0\r\n\r\n")
        self._client.write(b"".join(out))
        self._answered()

    def _answer_whole(self, head: AnswerHead, body: bytes) -> None:
        """The shortest way, which most answers go that are no streams: they come in one read."""
        request, client = self._request, self._client
        self._status = status = head.status
        self._close = not request.keep_alive or client.draining
        client.write(
            b"".join(
                (
                    STATUS_LINES.get(status) or status_line(status),
                    *head.fields,
                    self._fields,
                    b"content-length: ",
                    head.content_length,
                    b"\r\nx-quantdeck-answer: ",
                    self._mint(),
                    b"\r\nx-request-id: ",
                    request.request_id,
                    b"\r\nconnection: close\r\n\r\n" if self._close else b"\r\n\r\n",
                    body,
                )
            )
        )
        self._kept, self._kept_bytes = [body], len(body)
        self._answered()

    def _answered(self) -> None:
        self._upstream = None
        replica = self._replica
        if self._status < 500:
            replica.signs += 1
            if replica.failures:
                self._arm.answered(replica)
        elif ejection.is_failure(self._status):
            self._against(f"answered with {self._status}")
        self._end(self._status // 100, self._status, self._status, ended=True)
        self._client.finish(close=self._close)

    def _note_event(self) -> None:
        if self._relay is not None:
            self._relay.note()
            return
        upstream = self._upstream
        if upstream is None:
            return
        self._first_at = now = perf_counter()
        self._client.save_memory()
        # Framing passes unchanged, so it must be the client's too; and what is encrypted takes the transport's way.
        pump = self._services.pump if self._chunked and self._replica.tls is None else None
        self._relay = upstream.relay = Relay(pump, upstream, self._client.transport, self._arm.itl.counts, now)

    def answer_broken(self, reason: str) -> None:
        """The engine broke off. It may have worked on the request, so it is not asked again."""
        self._upstream = None
        self._against(f"broke off: {reason}")
        self._fail(502, "engine_broke_off", f"No whole answer from the {self._arm.variant}: {reason}.")

    def _begin_answer(self, head: AnswerHead) -> Fields:
        request = self._request
        self._status, self._stream = head.status, head.event_stream
        unsized = head.chunked or head.until_close
        self._chunked = unsized and not request.http_10
        self._close = not request.keep_alive or self._client.draining or (unsized and request.http_10)
        if self._chunked:
            framing, length = b"transfer-encoding: chunked\r\nx-quantdeck-answer: ", b""
        elif head.content_length:
            framing, length = b"\r\nx-quantdeck-answer: ", head.content_length
        else:
            framing, length = b"x-quantdeck-answer: ", b""
        if self._stream and self._arm.cuts_loops and head.status == 200 and unsized:
            self._loops = LoopWatch()
        fields, head.fields = head.fields, _PASSED_ON
        return [
            status_line(head.status),
            *fields,
            self._fields,
            b"content-length: " if length else b"",
            length,
            framing,
            self._mint(),
            b"\r\nx-request-id: ",
            request.request_id,
            b"\r\nconnection: close\r\n\r\n" if self._close else b"\r\n\r\n",
        ]

    def _cut_loop(self) -> None:
        """End an answer that is an endless loop. The engine did what it was asked, so that it is no failure of its."""
        loops, client = self._loops, self._client
        if self._upstream is None or loops is None or not loops.may_end:
            return  # it ended meanwhile, or is within an event: the next part of it leads here again
        self._stop_upstream()
        self._loops, self._looped = None, True
        words = loops.last_words()
        client.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(words), words) if self._chunked else words)
        self._arm.loops_cut += 1
        self._replica.signs += 1
        self._end(2, self._status, self._status, ended=True)
        client.finish(close=self._close)

    def _against(self, reason: str) -> None:
        """The replica is why it came to nothing."""
        self._arm.failed(self._replica, reason, self._services.loop.time())

    def _fail(self, status: int, code: str, message: str, *, judged: bool = True) -> None:
        client, self._close = self._client, True
        if not self._status:
            ids = self._mint(), self._request.request_id
            fields = self._fields + b"x-quantdeck-answer: %b\r\nx-request-id: %b\r\n" % ids
            if status == 503:
                fields += b"retry-after: 1\r\n"
            self._close = not self._request.keep_alive or client.draining
            client.write(whole_answer(status, error_body(status, code, message), extra=fields, close=self._close))
        elif self._stream:
            # The chunked body stays unterminated: whoever ignores the event still sees that the answer is not whole.
            event = error_event(code, message)
            client.write(b"%x\r\n%b\r\n" % (len(event), event) if self._chunked else event)
        self._end(status // 100 if not self._status else BROKEN, 0, self._status or status, ended=False, judged=judged)
        client.finish(close=self._close)

    # What the client does.

    def client_left(self) -> None:
        """The client closed its connection: the engine need not go on."""
        self._stop_upstream()
        self._arm.cancelled += 1
        self._end(CANCELLED, 0, self._status, ended=False)

    def client_slow(self) -> None:
        """The client does not read as fast as the engine writes."""
        if self._upstream is not None:
            self._upstream.pause()

    def client_ready(self) -> None:
        """The client has caught up."""
        self._quiet_s = 0
        if self._upstream is not None:
            self._upstream.resume()

    def tick(self, client_slow: bool) -> None:
        """A second has passed."""
        if self._relay is not None and self._relay.last_at != self._quiet_from:
            self._quiet_s, self._quiet_from = 0, self._relay.last_at
        self._quiet_s += 1
        if self._quiet_s == 1 and self._status:
            self._replica.signs += 1
        deadlines = self._services.deadlines
        if client_slow:
            if self._quiet_s > CLIENT_STALL_S:
                self._client.abort()
        elif self._quiet_s > (deadlines.between_events if self._status else deadlines.first_byte):
            self._stop_upstream()
            self._against(f"was silent for {self._quiet_s} s")
            self._fail(504, "engine_timeout", f"The {self._arm.variant} engine did not go on in time.")

    def _stop_upstream(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._upstream is not None:
            self._upstream.cancel()
            self._upstream = None

    def _end(self, code_class: int, status: int, answered: int, ended: bool, judged: bool = True) -> None:
        """Count it. `status` is what the judge hears, `answered` what the client got; 0 where there was none."""
        arm, services = self._arm, self._services
        arm.end(self._replica)
        arm.by_class[code_class] += 1
        e2e = perf_counter() - self._began
        arm.e2e.observe(e2e)
        if self._relay is not None:
            arm.ttft.observe(self._first_at - self._began)
            arm.itl.total += self._relay.last_at - self._first_at
        if services.access_log is not None:
            end: End = "done" if ended else "cancelled" if code_class == CANCELLED else "broken"
            services.access_log.note(self._line(answered, end, e2e))
        if code_class == CANCELLED or not judged:
            return  # a judge cannot blame the engine for what the client broke off, or for what this host lacks
        if code_class in _ERRORS:
            arm.errors += 1
        tee = services.tee
        if tee is not None and not self._degraded and tee.wants(self._placement):
            tee.offer(self._finished(status, ended, e2e))

    def _line(self, status: int, end: End, e2e_s: float) -> Line:
        arm, request, placement = self._arm, self._request, self._placement
        return Line(
            t=round(time.time(), 3),
            request_id=shown(request.request_id),
            path=shown(request.path),
            status=status,
            end=end,
            experiment=arm.experiment,
            variant=arm.variant,
            replica=self._replica.name,
            model=arm.served_name,
            user=placement.short if placement else "",
            key=request.key,
            code=REPETITION if self._looped else "",
            ttft_ms=round((self._first_at - self._began) * 1e3, 3) if self._first_at else None,
            e2e_ms=round(e2e_s * 1e3, 3),
            bytes=self._kept_bytes,
            degraded=self._degraded.decode(),
        )

    def _finished(self, status: int, ended: bool, e2e_s: float) -> FinishedAnswer:
        kept, placement = self._kept, self._placement
        return FinishedAnswer(
            self._arm.experiment,
            self._arm.variant,
            self._generation,
            self._replica.name,
            placement.short if placement else "",
            time.time(),
            status,
            ended,
            self._stream,
            self._kept_bytes > KEPT_BYTES,
            (self._first_at - self._began) * 1e3 if self._first_at else None,
            e2e_s * 1e3,
            b"".join(kept) if status == 200 else b"",
            False,
            self._request.segment,
            self._asked_bytes,
            (self._relay.last_at - self._first_at) * 1e3 if self._relay is not None else None,
            self._looped,
            self._prompt,
        )
