"""What a deployment would do, for people."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.engines.command import Command
from quantdeck_core.engines.shell import shell_lines
from quantdeck_core.fleet.operation_text import room_free, room_needed
from quantdeck_core.protocol.operation import Intended


def intended_lines(host: str, intended: Intended) -> Iterator[str]:
    """What would be done on a host; nothing was begun."""
    replicas = f", {intended.replicas} replicas" if intended.replicas > 1 else ""
    yield f"{host}: would {intended.kind} {intended.engine}{replicas} (nothing was begun)"
    if intended.room is not None:
        yield f"  needs {room_needed(intended.room)}"
        yield f"  has {room_free(intended.room)}"
    if intended.note:
        yield f"  {intended.note}"
    if intended.refusal:
        yield f"  refused: {intended.refusal.detail}"
        yield f"  next: {intended.refusal.hint}"
    if intended.outage:
        how = "nobody is served by it for" if intended.kind == "swap" else "no room for both; --swap would take"
        yield f"  {how} {intended.outage}"
    if intended.argv:
        yield from (f"    {line}" for line in shell_lines(Command(argv=intended.argv, env=intended.env)))
