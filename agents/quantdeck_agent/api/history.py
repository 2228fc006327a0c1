"""GET /v1/history: what the agent measured, as it was."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.api.messages import answer
from quantdeck_agent.telemetry.history import MINUTE_S, History
from quantdeck_agent.telemetry.minutes import KEPT_S as WEEK_S
from quantdeck_agent.telemetry.recent import KEPT_S as HOUR_S
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.protocol.history import SeriesList

MOST_SERIES = 32
MOST_POINTS = 4000
"""In each series; the answer stays below 4 MiB."""
_HINT = "For example /v1/history?series=gpu/0/temperature_c&since=-3600&step=60; without a series it lists them."


class HistoryApi:
    """Handler for viewers."""

    def __init__(self, history: History) -> None:
        self._history = history

    def routes(self) -> list[Route]:
        """Its path."""
        return [Route("/v1/history", self.get)]

    async def get(self, request: Request) -> Response:
        """GET /v1/history?series=A,B&since=UNIX&step=SECONDS.

        `series` may be given several times or hold commas. `since` below 0 is seconds before now; without it the last
        hour. `step`: seconds in a point; without it as long as 300 points need.
        """
        names = [name for text in request.query_params.getlist("series") for name in text.split(",") if name]
        # A thread of its own for each: SQLite may wait for the disk.
        known = await asyncio.to_thread(self._history.names)
        if not names:
            return answer(SeriesList(series=known, note=self._history.note))
        if len(names) > MOST_SERIES:
            raise InputError(f"{len(names)} series at once; at most {MOST_SERIES}.", "Ask several times.")
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise NotFoundError(f"No series is called {unknown[0][:100]!r}.", "GET /v1/history lists them.")
        now = time.time()
        since, step = _span(request, now)
        found = await asyncio.to_thread(self._history.read, names, since, step, now)
        return answer(found)


def _span(request: Request, now: float) -> tuple[float, int]:
    since = _number(request, "since")
    since = now - HOUR_S + 1 if since is None else since + now if since < 0 else since
    if not now - WEEK_S - MINUTE_S <= since <= now:
        raise InputError("`since` is not within the last 7 days.", _HINT)
    least = 1 if since > now - HOUR_S else MINUTE_S
    step = _number(request, "step")
    chosen = max(least, round((now - since) / 300)) if step is None else int(step)
    if chosen < least:
        raise InputError(
            f"`step` is {chosen} s; {least} s is the least here: beyond the last hour there are minutes.", _HINT
        )
    if least == MINUTE_S:
        chosen = -(-chosen // MINUTE_S) * MINUTE_S
    if (now - since) / chosen > MOST_POINTS:
        raise InputError(f"That is more than {MOST_POINTS} points.", "Ask for a longer step, or a later since.")
    return since, chosen


def _number(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1e11 < value < 1e11:
        raise InputError(f"{name}={text[:40]!r} is no number.", _HINT)
    return value
