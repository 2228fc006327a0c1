"""A console's end: a signal closes it as `q` does, and what it leaves open is said."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from quantdeck_core.text import clean

if TYPE_CHECKING:
    from quantdeck_console.app import DeckApp

_KEPT = "it is kept here: `quantdeck guard` or the next console carries it out"


async def run_until_told(app: DeckApp) -> None:
    """Run a console. The terminal is as it was afterwards, also after a signal."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, app.exit)
    await app.run_async(mouse=False)


def left_open(app: DeckApp) -> list[str]:
    """Rollbacks that nobody has acknowledged everywhere, for whoever has closed the console."""
    lines = []
    for run in app.runs.rollbacks:
        if run.open:
            hosts = [target.host for target in run.open]
            lost = run.kept.problem
            lines.append(_line(run.experiment, hosts, f"it is NOT kept, ask again: {lost}" if lost else _KEPT))
    left: dict[str, list[str]] = {}
    for wish in app.runs.resumed.wishes if app.runs.resumed else ():
        left.setdefault(wish.experiment, []).append(wish.host)
    return [*lines, *(_line(name, hosts, _KEPT) for name, hosts in left.items())]


def _line(experiment: str, hosts: list[str], what: str) -> str:
    return clean(f"PENDING: the rollback of {experiment} on {', '.join(hosts)}; {what}", one_line=True)
