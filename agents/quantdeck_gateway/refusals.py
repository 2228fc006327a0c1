"""Errors that clients get instead of an engine's answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from quantdeck_gateway.answers import error_body
from quantdeck_gateway.arm import Arm
from quantdeck_gateway.exchange import Services
from quantdeck_gateway.handover import FinishedAnswer
from quantdeck_gateway.request import Request, RequestRefusedError, new_request_id
from quantdeck_gateway.routing import Placement

if TYPE_CHECKING:
    from quantdeck_gateway.client import ClientConnection

_NO_REPLICA_RETRY_S = 2
_EXTRA = {401: b"www-authenticate: Bearer\r\n", 503: b"retry-after: %d\r\n" % _NO_REPLICA_RETRY_S}


def refuse(client: ClientConnection, refusal: RequestRefusedError) -> None:
    """Answer with an error; the connection goes on."""
    extra = _EXTRA.get(refusal.status, b"")
    client.answer(refusal.status, error_body(refusal.status, refusal.code, refusal.message), extra=extra)


def no_replica(
    services: Services, client: ClientConnection, request: Request, arm: Arm, placement: Placement | None
) -> None:
    """503. A user is never moved to the other variant silently: that would spoil the comparison."""
    arm.errors += 1
    tee = services.tee
    if tee is not None and tee.wants(placement):
        tee.offer(_unanswered(arm, placement, 503))
    if arm.replicas:
        message = f"All replicas of the {arm.variant} are out of rotation; each is asked again every few seconds."
    else:
        message = f"No replica serves the {arm.variant} of this experiment."
    _answer(services, client, request, arm, placement, 503, "no_replica", message, _NO_REPLICA_RETRY_S)


def shed(
    services: Services,
    client: ClientConnection,
    request: Request,
    arm: Arm,
    placement: Placement | None,
    retry_after: int,
) -> None:
    """429: the arm has more requests than it can answer; it is not judged by that."""
    message = f"The {arm.variant} has more requests than it can answer. Try again in {retry_after} s."
    _answer(services, client, request, arm, placement, 429, "overloaded", message, retry_after)


def _answer(
    services: Services,
    client: ClientConnection,
    request: Request,
    arm: Arm,
    placement: Placement | None,
    status: int,
    code: str,
    message: str,
    retry_after: int,
) -> None:
    arm.by_class[status // 100] += 1
    request.request_id = request.request_id or new_request_id()
    fields = b"retry-after: %d\r\n%bx-quantdeck-answer: %b\r\nx-request-id: %b\r\n"
    extra = fields % (retry_after, arm.fields, arm.mint(), request.request_id)
    client.answer(status, error_body(status, code, message), extra=extra)
    if services.access_log is not None:
        services.access_log.unanswered(request, status, "refused", code, arm, placement)


def _unanswered(arm: Arm, placement: Placement | None, status: int) -> FinishedAnswer:
    """What the judge hears of a request that no replica of the arm could take."""
    user = placement.short if placement else ""
    now = time.time()
    return FinishedAnswer(
        arm.experiment, arm.variant, arm.generation, "", user, now, status, False, False, False, None, 0.0, b""
    )
