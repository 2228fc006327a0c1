"""A replay on its way: both arms answer flagged prompts again, which takes from seconds to minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quantdeck_console.link.interface import FleetLink
from quantdeck_console.model.incident import Replaying
from quantdeck_console.model.subject import Subject
from quantdeck_core.errors import QuantdeckError
from quantdeck_core.protocol.incident import ReplayAsk

USUAL = ReplayAsk().most
"""Prompts that decide most cases, and do not keep both engines busy for long."""
MOST = 128


class ReplayRun:
    """One replay; it lives on when its pane is closed.

    Args:
        ended: called once it has, with what to say of it.
    """

    def __init__(
        self,
        link: FleetLink,
        subject: Subject,
        most: int,
        *,
        by: str,
        clock: Callable[[], float],
        ended: Callable[[str], None],
    ) -> None:
        self.subject = subject
        self.state = Replaying(since=clock(), most=most)
        self._link = link
        self._ask = ReplayAsk(most=most, by=by)
        self._ended = ended

    async def run(self) -> None:
        """Ask, and return with the verdict or the error in `state`."""
        host, experiment = self.subject
        try:
            report = await self._link.ask(host, lambda client: client.replay(experiment, self._ask))
        except QuantdeckError as error:
            info = error.info()
            self.state = replace(self.state, error=info)
            self._ended(f"the replay of {experiment} failed: {info.detail}")
        else:
            self.state = replace(self.state, report=report)
            self._ended(f"replay of {experiment}: {report.text}")
