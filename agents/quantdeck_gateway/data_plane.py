"""What clients may ask: an exact list of paths, two of which are split between the variants.

Embeddings are not: an index that mixes the vectors of two models is spoilt, so they always come from the control.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from quantdeck_gateway.access_log import AccessLog
from quantdeck_gateway.answers import error_body
from quantdeck_gateway.arm import Arm
from quantdeck_gateway.busy import Busy
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.exchange import Exchange, Services
from quantdeck_gateway.feedback import read_feedback
from quantdeck_gateway.handover import RatedAnswer
from quantdeck_gateway.later import Later
from quantdeck_gateway.limits import Deadlines
from quantdeck_gateway.metrics import CONTENT_TYPE
from quantdeck_gateway.refusals import no_replica, refuse
from quantdeck_gateway.relay import Pump
from quantdeck_gateway.request import Request, RequestRefusedError, body_keys, check_depth, new_request_id
from quantdeck_gateway.routing import Placement, choose, variant_of
from quantdeck_gateway.table import Route, RoutingTable
from quantdeck_gateway.tee import Tee

_Action = Callable[[ClientConnection, Request], None]
_OPEN_PATHS = frozenset({b"/health", b"/ready"})
"""Balancers and supervisors ask them, and have no key."""


class _Model(msgspec.Struct):
    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "quantdeck"


class _Models(msgspec.Struct):
    data: tuple[_Model, ...]
    object: str = "list"


class DataPlane:
    """Handler of clients' requests.

    Args:
        metrics: of all workers.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pump: Pump,
        table: RoutingTable,
        tee: Tee | None,
        deadlines: Deadlines,
        metrics: Callable[[], Awaitable[str]],
        access_log: AccessLog | None = None,
    ) -> None:
        self._all_metrics = metrics
        self._loop, self._table, self._tee, self._access_log = loop, table, tee, access_log
        self._keys = table.keys
        self._services = Services(loop=loop, pump=pump, tee=tee, deadlines=deadlines, access_log=access_log)
        self._busy = Busy(self._services)
        self._unjudged = Services(loop=loop, pump=pump, tee=None, deadlines=deadlines, access_log=access_log)
        self._busy_unjudged = Busy(self._unjudged, only_waits=True)
        self._actions: dict[tuple[bytes, bytes], _Action] = {
            (b"POST", b"/v1/chat/completions"): self._split,
            (b"POST", b"/v1/completions"): self._split,
            (b"POST", b"/v1/embeddings"): self._embeddings,
            (b"POST", b"/v1/feedback"): self._feedback,
        }
        own = ((b"/v1/models", self._models), (b"/health", self._health), (b"/ready", self._ready))
        for path, action in (*own, (b"/metrics", self._metrics)):
            self._actions[b"GET", path] = self._actions[b"HEAD", path] = action

    def handle(self, client: ClientConnection, request: Request) -> None:
        """Answer a request, or send it on."""
        action = self._actions.get((request.method, request.path))
        try:
            if action is None:
                raise RequestRefusedError(404, "unknown_path", "This gateway does not serve that path.")
            if self._keys.asked and request.path not in _OPEN_PATHS:
                self._admit(request)
            action(client, request)
        except RequestRefusedError as refusal:
            refuse(client, refusal)
            if self._access_log is not None:
                self._access_log.unanswered(request, refusal.status, "refused", refusal.code)

    def _admit(self, request: Request) -> None:
        key = self._keys.lookup(request.authorization, request.api_key)
        if key is None:
            self._keys.refused += 1
            raise RequestRefusedError(401, "invalid_api_key", "An API key is needed: Authorization: Bearer KEY.")
        request.admit(key)

    def _split(self, client: ClientConnection, request: Request) -> None:
        route, user = self._table.single, request.user
        if route is None or not user:
            body_user, model = body_keys(request.body)
            route = route or self._by_model(model)
            user = user or _as_bytes(body_user)
        else:
            check_depth(request.body)
        placement = route.placements.of(user) if user else None
        if placement is None:
            route.unkeyed += 1
        if route.assignment is None:
            variant = variant_of(placement, route.weight_bp)
        else:
            request.request_id = request.request_id or new_request_id()
            variant = route.assignment.variant(
                placement, route.weight_bp, user, request.variant, request.request_id, api_key=request.key
            )
        arm = route.treatment if variant == "treatment" else route.control
        arm.requests += 1
        if arm.in_flight >= arm.open:
            self._busy.arrive(client, request, route, arm, placement)
            return
        self._forward(self._services, client, request, arm, placement)

    def _embeddings(self, client: ClientConnection, request: Request) -> None:
        """Counted, and not judged: vectors are no text."""
        route = self._table.single
        if route is None:
            route = self._by_model(body_keys(request.body)[1])
        else:
            check_depth(request.body)
        arm, placement = route.control, route.placements.of(request.user) if request.user else None
        arm.requests += 1
        if arm.in_flight >= arm.open:
            self._busy_unjudged.arrive(client, request, route, arm, placement)
            return
        self._forward(self._unjudged, client, request, arm, placement)

    def _forward(
        self, services: Services, client: ClientConnection, request: Request, arm: Arm, placement: Placement | None
    ) -> None:
        replica = choose(arm.rotation, placement)
        if replica is None:
            no_replica(services, client, request, arm, placement)
            return
        exchange = Exchange(services, client, request, arm, replica, placement)
        client.begin(exchange)
        copies = arm.copies
        if copies is None or services.tee is None or not copies.wants(placement):
            exchange.start()
            return
        head, body = request.head[1:], request.body
        exchange.start()  # the user's first
        copies.copy(self._loop, services.tee, request, head, body, placement)

    def _by_model(self, model: str) -> Route:
        route = self._table.by_model(model)
        if route is not None:
            return route
        if not self._table.live:
            raise RequestRefusedError(503, "no_experiment", "This gateway serves no experiment yet.")
        raise RequestRefusedError(404, "model_not_found", "No experiment serves that model; see /v1/models.")

    def _feedback(self, client: ClientConnection, request: Request) -> None:
        answer, said = read_feedback(request.body, self._table.ids)
        arm = self._table.arm_of(answer)
        if arm is None:
            raise RequestRefusedError(404, "unknown_answer", "The experiment of that answer is not served any more.")
        rated = RatedAnswer(
            arm.experiment,
            answer.variant,
            answer.generation,
            answer.mark,
            said.rating,
            time.time(),
            said.task_completed,
            said.session_continued,
        )
        if self._tee is None or not self._tee.offer_rating(rated):
            raise RequestRefusedError(503, "not_judged", "Nobody listens to ratings at the moment.")
        for name in said.names():
            arm.feedback[name] += 1
        client.answer(202, b'{"status":"accepted"}')

    def _models(self, client: ClientConnection, request: Request) -> None:
        models = _Models(tuple(_Model(route.served_name) for route in self._table.live))
        client.answer(200, msgspec.json.encode(models))

    def _health(self, client: ClientConnection, request: Request) -> None:
        client.answer(200, b'{"status":"ok"}')

    def _metrics(self, client: ClientConnection, request: Request) -> None:
        Later(self._loop, client, self._metrics_text(), CONTENT_TYPE)

    async def _metrics_text(self) -> tuple[int, bytes]:
        return 200, (await self._all_metrics()).encode()

    def _ready(self, client: ClientConnection, request: Request) -> None:
        Later(self._loop, client, self._is_ready())

    async def _is_ready(self) -> tuple[int, bytes]:
        for route in self._table.live:
            for replica in route.control.rotation:
                if await replica.accepts():
                    return 200, b'{"status":"ready"}'
        return 503, error_body(503, "not_ready", "No control replica accepts connections.")


def _as_bytes(user: str) -> bytes:
    try:
        return user.encode()
    except UnicodeEncodeError:
        raise RequestRefusedError(400, "bad_user", "The user id is not UTF-8.") from None
