"""The past of one host, whatever carries the HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.protocol.history import HistoryAnswer, SeriesList, SeriesPoints

MOST_SERIES = 32
"""So many an agent answers at once."""


async def history(client: AgentClient, wanted: Sequence[str], span_s: int, step_s: int) -> HistoryAnswer:
    """Those of the wanted series that there are, from so many seconds ago until now.

    Raises:
        UnreachableError, RemoteError: as `AgentClient`.
    """
    known = set((await client.get("/v1/history", SeriesList)).series)
    names = [name for name in wanted if name in known]
    series: dict[str, SeriesPoints] = {}
    start, since = 0, f"-{span_s}"
    for at in range(0, len(names), MOST_SERIES):
        some = quote(",".join(names[at : at + MOST_SERIES]), safe=",/")
        answer = await client.get(f"/v1/history?series={some}&since={since}&step={step_s}", HistoryAnswer)
        series |= answer.series
        start = answer.start
        since = str(start)  # the next ones begin with the same step, however long that took
    return HistoryAnswer(start=start, step=step_s, series=series)
