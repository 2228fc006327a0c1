"""What clients may ask: an exact list of paths, two of which are split between the variants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from quantdeck_gateway.answers import error_body
from quantdeck_gateway.busy import Busy
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.exchange import Exchange, Services
from quantdeck_gateway.later import Later
from quantdeck_gateway.limits import Deadlines
from quantdeck_gateway.metrics import CONTENT_TYPE, prometheus_text
from quantdeck_gateway.refusals import no_replica, refuse
from quantdeck_gateway.request import Request, RequestRefusedError, body_keys, new_request_id
from quantdeck_gateway.routing import choose, variant_of
from quantdeck_gateway.table import Route, RoutingTable
from quantdeck_gateway.tee import Tee

_Action = Callable[[ClientConnection, Request], None]


class _Model(msgspec.Struct):
    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "quantdeck"


class _Models(msgspec.Struct):
    data: tuple[_Model, ...]
    object: str = "list"


class DataPlane:
    """Handler of clients' requests."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, table: RoutingTable, tee: Tee | None, deadlines: Deadlines
    ) -> None:
        self._loop, self._table, self._tee = loop, table, tee
        self._services = Services(loop=loop, tee=tee, deadlines=deadlines)
        self._busy = Busy(self._services)
        self._actions: dict[tuple[bytes, bytes], _Action] = {
            (b"POST", b"/v1/chat/completions"): self._split,
            (b"POST", b"/v1/completions"): self._split,
            (b"GET", b"/v1/models"): self._models,
            (b"GET", b"/health"): self._health,
            (b"GET", b"/ready"): self._ready,
            (b"GET", b"/metrics"): self._metrics,
        }

    def handle(self, client: ClientConnection, request: Request) -> None:
        """Answer a request, or send it on."""
        action = self._actions.get((request.method, request.path))
        if action is None:
            refuse(client, RequestRefusedError(404, "unknown_path", "This gateway does not serve that path."))
            return
        try:
            action(client, request)
        except RequestRefusedError as refusal:
            refuse(client, refusal)

    def _split(self, client: ClientConnection, request: Request) -> None:
        route, user = self._table.single, request.user
        if route is None or not user:
            body_user, model = body_keys(request.body)
            route = route or self._by_model(model)
            user = user or _as_bytes(body_user)
        try:
            placement = route.placements[user] if user else None
        except UnicodeDecodeError:
            raise RequestRefusedError(400, "bad_user", "The user id is not UTF-8.") from None
        if placement is None:
            route.unkeyed += 1
        if route.assignment is None:
            variant = variant_of(placement, route.weight_bp)
        else:
            request.request_id = request.request_id or new_request_id()
            variant = route.assignment.variant(
                placement, route.weight_bp, user, request.variant, request.request_id, api_key=""
            )
        arm = route.treatment if variant == "treatment" else route.control
        arm.requests += 1
        if arm.in_flight >= arm.open:
            self._busy.arrive(client, request, route, arm, placement)
            return
        replica = choose(arm.rotation, placement)
        if replica is None:
            no_replica(self._services, client, request, arm, placement)
            return
        exchange = Exchange(self._services, client, request, arm, replica, placement)
        client.begin(exchange)
        exchange.start()

    def _by_model(self, model: str) -> Route:
        route = self._table.by_model(model)
        if route is not None:
            return route
        if not self._table.live:
            raise RequestRefusedError(503, "no_experiment", "This gateway serves no experiment yet.")
        raise RequestRefusedError(404, "model_not_found", "No experiment serves that model; see /v1/models.")

    def _models(self, client: ClientConnection, request: Request) -> None:
        models = _Models(tuple(_Model(route.served_name) for route in self._table.live))
        client.answer(200, msgspec.json.encode(models))

    def _health(self, client: ClientConnection, request: Request) -> None:
        client.answer(200, b'{"status":"ok"}')

    def _metrics(self, client: ClientConnection, request: Request) -> None:
        text = prometheus_text(self._table.all(), self._tee.dropped if self._tee else 0)
        client.answer(200, text.encode(), content_type=CONTENT_TYPE)

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
