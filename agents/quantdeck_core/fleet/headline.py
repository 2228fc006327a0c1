"""The fleet in one sentence: the worst thing first, or that all is quiet."""

from __future__ import annotations

import re

import msgspec

from quantdeck_core.alerts.cause import without_numbers
from quantdeck_core.fleet.cells import clock_minutes, listed, plural
from quantdeck_core.fleet.gateways import rolled_back
from quantdeck_core.fleet.health import WORDS, Level
from quantdeck_core.fleet.rows import FleetRow
from quantdeck_core.fleet.standing import frozen_of
from quantdeck_core.fleet.state import FleetState

_AGE = re.compile(r"\d+[smhd]\b")
"""As `cells.age` writes it."""


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """What is read first.

    Attributes:
        hosts: whom it is about, the worst first; empty where it is about the fleet.
        rest: what became of it, or where else it is so; a sentence of its own.
        undone: users are still on what is wrong.
        more: how many hosts are not OK for other reasons.
        bare: no host has an engine.
    """

    level: Level
    text: str
    hosts: tuple[str, ...] = ()
    experiment: str = ""
    rest: str = ""
    undone: bool = False
    more: int = 0
    bare: bool = False

    @property
    def sentence(self) -> str:
        """The first of it: ``x rack-1  int4_v1 since 02:14: 47.1% of answers loop (and 2 more hosts)``."""
        if not self.hosts:
            return self.text
        where = self.hosts[0] if len(self.hosts) == 1 else plural(len(self.hosts), "host")
        more = f" (and {plural(self.more, 'more host')})" if self.more else ""
        return f"{WORDS[self.level].split()[-1]} {where}  {self.text}{more}"


def headline(state: FleetState, rows: list[FleetRow]) -> Headline:
    """From all rows, sorted worst first, unfiltered."""
    bad = [row for row in rows if row.level in ("fail", "stale", "warn")]
    if bad:
        return _worst(state, bad)
    waiting = [row for row in rows if row.level == "connecting"]
    if len(waiting) == len(rows):
        return Headline(level="connecting", text=f"connecting to {plural(len(rows), 'host')}")
    ready, total = _engines(state)
    frozen = frozen_of(state)
    rest = frozen.sentence if frozen else ""
    engines = plural(total, "engine") if ready == total else f"{ready} of {plural(total, 'engine')}"
    if waiting:
        text = f"{len(rows) - len(waiting)} of {plural(len(rows), 'host')} connected, {engines} ready"
        return Headline(level="connecting", text=text, rest=rest)
    if not total:
        return Headline(level="ok", text=f"{plural(len(rows), 'host')}, nothing is deployed yet", rest=rest, bare=True)
    calm = "all quiet: " if ready == total else ""
    return Headline(level="ok", text=f"{calm}{plural(len(rows), 'host')}, {engines} ready", rest=rest)


def _worst(state: FleetState, bad: list[FleetRow]) -> Headline:
    """The worst row with all that are so for the same reason: one experiment, or the same words."""
    worst = bad[0]
    back = rolled_back(state, worst.experiment) if worst.experiment else None
    if back:
        hosts = dict.fromkeys((back.first, *(row.name for row in bad if row.experiment == worst.experiment)))
        since = f" since {clock_minutes(back.since)}" if back.since is not None else ""
        return Headline(
            level=worst.level,
            text=f"{worst.experiment}{since}: {back.reason or 'rolled back'}",
            hosts=tuple(hosts),
            experiment=worst.experiment,
            rest=back.sentence,
            undone=bool(back.left),
            more=sum(row.name not in hosts for row in bad),
        )
    same = [row for row in bad if _alike(row, worst)]
    names = tuple(row.name for row in same)
    return Headline(
        level=worst.level,
        text=f"{worst.experiment}: {worst.why}" if worst.experiment else worst.why,
        hosts=names,
        experiment=worst.experiment,
        rest=f"on {listed(names)}" if len(names) > 1 else "",
        undone=bool(worst.experiment) and worst.level == "fail",
        more=len(bad) - len(same),
    )


def _alike(row: FleetRow, worst: FleetRow) -> bool:
    if (row.level, row.experiment) != (worst.level, worst.experiment):
        return False
    return bool(row.experiment) or _words(row.why) == _words(worst.why)


def _words(why: str) -> str:
    """Without how much and how long."""
    return without_numbers(_AGE.sub("#", why))


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
