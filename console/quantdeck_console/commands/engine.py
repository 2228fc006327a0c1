"""`quantdeck engine NAME --host HOST`: one engine with its replicas, its starts and what happened to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from quantdeck_console.commands.common import ask, emit, host_named, parser_for, run_with_fleet
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_core.engines.started import Start, changes
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.cells import count, size
from quantdeck_core.protocol.engine import EngineDetail, EngineStatus
from quantdeck_core.text import clean


def main(argv: list[str]) -> int:
    """Show it; also one that was stopped."""
    parser = parser_for("engine", "An engine's replicas, starts and timeline.")
    parser.add_argument("engine")
    parser.add_argument("--host", required=True, help="host of the fleet")
    options = parser.parse_args(argv)

    async def work(fleet: Fleet) -> EngineDetail:
        return await ask(host_named(fleet, options.host), lambda client: client.engine(options.engine))

    detail = run_with_fleet(options, work)
    emit(options.json, detail, [clean(line, one_line=True) for line in _lines(detail)])
    return ExitCode.DONE


def _lines(detail: EngineDetail) -> Iterator[str]:
    wanted = f"profile {detail.profile.name}" if detail.profile else "not wanted any more"
    yield f"{detail.name}: {wanted}"
    for replica in detail.replicas:
        yield from _replica(replica)
    yield "starts"
    before: Start | None = None
    for start in detail.starts:
        what = f"{start.model} {start.sha256[:12]} {start.version}".rstrip()
        yield f"  {_time(start.t)} {detail.name}.{start.generation} {what}"
        if before is not None:
            yield from (f"    changed: {one}" for one in changes(before, start))
        before = start
    if detail.starts:
        yield f"  {shlex.join(detail.starts[-1].argv)}"
    yield "timeline"
    for entry in detail.timeline:
        yield f"  {_time(entry.t)} {entry.kind:<8} {entry.text} ({entry.by or 'somebody'})"


def _replica(replica: EngineStatus) -> Iterator[str]:
    note = f" ({replica.note})" if replica.note else ""
    engine = f"{replica.engine} {replica.version}".rstrip()
    where = f", {replica.url}" if replica.url else ""
    yield f"  {replica.name}.{replica.generation} {replica.state}{note}, {engine}{where}"
    if replica.hosts:
        yield f"    part {replica.part + 1} of {len(replica.hosts)}: {', '.join(replica.hosts)}"
    if replica.measured_bytes is not None or replica.planned_bytes is not None:
        yield f"    memory: planned {size(replica.planned_bytes)}, measured {size(replica.measured_bytes)}"
    if replica.running is not None:
        yield f"    {count(replica.running)} running, {count(replica.waiting or 0)} waiting"
    if replica.error:
        yield f"    {replica.error.detail}"
        yield f"    next: {replica.error.hint}"


def _time(t: float) -> str:
    return datetime.fromtimestamp(t).strftime("%m-%d %H:%M:%S")
