"""What must stay on the screen: rollbacks that are not applied everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quantdeck_console.actions.rollback import RollbackRun
from quantdeck_core.fleet.cells import clock_minutes
from quantdeck_core.rollout.wish import KEPT_S, Wish

_NAMED = 3
"""Hosts; the dialog has them all."""


def banner(runs: Iterable[RollbackRun], resumed: Sequence[Wish], expired: Sequence[Wish], now: float) -> str:
    """One line, or nothing where every rollback is through.

    Args:
        runs: asked for in this console.
        resumed: asked for before, and open.
        expired: asked for before, and not carried out.
    """
    for run in runs:
        if run.started and run.open:
            return f"! rollback of {run.experiment}: {_progress(run, now)}; trying again"
    if resumed:
        first = resumed[0]
        where = _names([one.host for one in resumed if one.experiment == first.experiment])
        who = f"{first.by} {clock_minutes(first.asked)}"
        return f"! rollback of {first.experiment}: pending on {where}; kept until applied ({who})"
    if expired:
        last = expired[-1]
        return f"! NOT rolled back: {last.experiment} on {last.host}; {last.by} asked over {KEPT_S / 3600:.0f} h ago"
    return ""


def _progress(run: RollbackRun, now: float) -> str:
    hosts: dict[str, list[str]] = {}
    for target in run.open:
        hosts.setdefault(f"{target.word(now)} on" if target.heard else "not heard:", []).append(target.host)
    return "; ".join(f"{word} {_names(names)}" for word, names in hosts.items())


def _names(hosts: Sequence[str]) -> str:
    more = len(hosts) - _NAMED
    return f"{', '.join(hosts[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
