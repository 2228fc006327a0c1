"""The fleet in one sentence: the worst thing first, or that all is quiet."""

from __future__ import annotations

import msgspec

from quantdeck_core.fleet.cells import plural
from quantdeck_core.fleet.health import WORDS, Level
from quantdeck_core.fleet.rows import FleetRow
from quantdeck_core.fleet.state import FleetState


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """What is read first.

    Attributes:
        host: whose sentence it is; empty where it is about the fleet.
        more: how many other hosts are not OK.
    """

    level: Level
    text: str
    host: str = ""
    experiment: str = ""
    more: int = 0

    @property
    def sentence(self) -> str:
        """The whole of it: ``x rack-1  int4_v1: rolled back 02:17:31: 47.1% of answers loop``."""
        if not self.host:
            return self.text
        what = f"{self.experiment}: {self.text}" if self.experiment else self.text
        more = f" (and {plural(self.more, 'more host')})" if self.more else ""
        return f"{WORDS[self.level].split()[-1]} {self.host}  {what}{more}"


def headline(state: FleetState, rows: list[FleetRow]) -> Headline:
    """From all rows, sorted worst first, unfiltered."""
    bad = [row for row in rows if row.level in ("fail", "stale", "warn")]
    if bad:
        worst = bad[0]
        return Headline(
            level=worst.level, host=worst.name, experiment=worst.experiment, text=worst.why, more=len(bad) - 1
        )
    waiting = [row for row in rows if row.level == "connecting"]
    if len(waiting) == len(rows):
        return Headline(level="connecting", text=f"connecting to {plural(len(rows), 'host')}")
    ready, total = _engines(state)
    engines = plural(total, "engine") if ready == total else f"{ready} of {plural(total, 'engine')}"
    if waiting:
        text = f"{len(rows) - len(waiting)} of {plural(len(rows), 'host')} connected, {engines} ready"
        return Headline(level="connecting", text=text)
    calm = "all quiet: " if ready == total else ""
    return Headline(level="ok", text=f"{calm}{plural(len(rows), 'host')}, {engines} ready")


def _engines(state: FleetState) -> tuple[int, int]:
    """How many are ready, of how many that should run."""
    states = [
        engine.state
        for view in state.hosts.values()
        if view.status
        for engine in view.status.engines
        if engine.state not in ("stopped", "stopping")
    ]
    return states.count("ready"), len(states)
