"""What must stay on the screen: changes that are not applied everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quantdeck_console.actions.host_run import HostRun
from quantdeck_console.model.host_progress import waiting
from quantdeck_core.fleet.cells import clock_minutes, listed
from quantdeck_core.rollout.wish import KEPT_S, Wish


def banner(runs: Iterable[HostRun], resumed: Sequence[Wish], expired: Sequence[Wish], now: float) -> str:
    """One line, or nothing where all of it is through.

    Args:
        runs: asked for in this console.
        resumed: rollbacks that were asked for before, and are open.
        expired: rollbacks that were asked for before, and were not carried out.
    """
    for run in runs:
        if run.started and run.open:
            return f"! {run.subject}: {waiting(run.targets, now)}; trying again"
    if resumed:
        first = resumed[0]
        where = listed([one.host for one in resumed if one.experiment == first.experiment])
        who = f"{first.by} {clock_minutes(first.asked)}"
        return f"! rollback of {first.experiment}: pending on {where}; kept until applied ({who})"
    if expired:
        last = expired[-1]
        return f"! NOT rolled back: {last.experiment} on {last.host}; {last.by} asked over {KEPT_S / 3600:.0f} h ago"
    return ""
