"""An incident on its way into a file, with users' words only where they were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from quantdeck_console.actions.replay import MOST
from quantdeck_console.incident_file import write_incident
from quantdeck_console.link.interface import FleetLink
from quantdeck_core.errors import ErrorInfo, QuantdeckError
from quantdeck_core.protocol.incident import IncidentReport, ReplayAsk


class ExportRun:
    """One file; it is written also when its dialog is closed meanwhile.

    Attributes:
        since: console time at which it was asked for, UNIX seconds.
        length: bytes that were written; None before.

    Args:
        reports: what each host told.
        words: have both arms answer the flagged prompts again, and keep the prompts.
        ended: called once it has, with what to say of it.
    """

    def __init__(
        self,
        link: FleetLink,
        reports: Mapping[str, IncidentReport],
        file: Path,
        *,
        words: bool,
        by: str,
        clock: Callable[[], float],
        ended: Callable[[str], None],
    ) -> None:
        self.file = file
        self.since = clock()
        self.length: int | None = None
        self.error: ErrorInfo | None = None
        self._link = link
        self._reports = dict(reports)
        self._ask = ReplayAsk(most=MOST, prompts=True, by=by) if words else None
        self._ended = ended

    async def run(self) -> None:
        """Write it; what went wrong is in `error`, and then there is no file."""
        try:
            reports = await asyncio.gather(*(self._with_words(*one) for one in self._reports.items()))
            self.length = write_incident(self.file, reports)
        except QuantdeckError as error:
            self.error = error.info()
            self._ended(f"the incident was not written: {self.error.detail}")
        else:
            self._ended(f"the incident is in {self.file}")

    async def _with_words(self, host: str, report: IncidentReport) -> IncidentReport:
        ask = self._ask
        if ask is None or not report.flagged:
            return report
        replay = await self._link.ask(host, lambda client: client.replay(report.experiment, ask))
        return msgspec.structs.replace(report, replay=replay)
