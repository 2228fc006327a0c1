"""Bodies in and out: typed JSON, bounded, and one shape for every error."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from quantdeck_core.errors import ErrorInfo, InputError, QuantdeckError
from quantdeck_core.text import clean

T = TypeVar("T")

MAX_BODY_BYTES = 1 << 20


class BodyError(InputError):
    """A request that cannot be read."""

    code = "bad-request"
    title = "Cannot read this request"


async def read(request: Request, kind: type[T]) -> T:
    """The request's body.

    Raises:
        BodyError: not JSON, too large, or not what this path takes.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise BodyError("The body is not application/json.", "Send JSON with that content type.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyError(f"The body is larger than {MAX_BODY_BYTES} bytes.", "Send less.")
    try:
        return _cleaned(msgspec.json.decode(body, type=kind))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BodyError(f"The body does not fit: {error}.", "docs/api.md shows what this path takes.") from None


def _cleaned(ask: T) -> T:
    """Words of people without control characters: they go into the timeline, and from there to terminals."""
    if not isinstance(ask, msgspec.Struct):
        return ask
    words = {name: getattr(ask, name) for name in ("by", "reason", "note", "to") if hasattr(ask, name)}
    return msgspec.structs.replace(ask, **{name: clean(text, one_line=True) for name, text in words.items()})


def answer(body: msgspec.Struct, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


async def error_answer(_request: Request, error: Exception) -> Response:
    """Any error of ours as its `ErrorInfo`."""
    assert isinstance(error, QuantdeckError)  # noqa: S101 - only registered for it
    return answer(error.info(), error.http_status)


async def internal_answer(_request: Request, error: Exception) -> Response:
    """An error that is nobody's but ours; the traceback is in the agent's log."""
    detail = f"The agent failed at this: {type(error).__name__}."
    info = ErrorInfo(code="internal", title="Agent failed", detail=detail, hint="Its log says more; please report it.")
    return answer(info, 500)
