"""The selected engine in a few lines: what it is, what it takes, who is on it, and what happened to it."""

from __future__ import annotations

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.engine_users import users_of
from quantdeck_console.model.text import Line, line, span, wrapped
from quantdeck_core.engines.started import changes
from quantdeck_core.fleet.cells import age, clock, number, plural, short_duration, size, whole_percent
from quantdeck_core.protocol.engine import EngineDetail, EngineStatus
from quantdeck_core.protocol.host import HostStatus

_INDENT = "   "


def engine_detail_lines(
    engine: EngineStatus, status: HostStatus, asked: Asked[EngineDetail], width: int, *, low: bool
) -> list[Line]:
    """What the host says of it always, then what was asked for.

    Args:
        low: one line for each, and the newest event alone.
    """
    program = f"{engine.engine} {engine.version}".rstrip()
    digest = f" {engine.model_sha256[:12]}" if engine.model_sha256 else ""
    first = f"{engine.name}.{engine.generation}: {engine.model}{digest}, profile {engine.profile}, {program}"
    most = 1 if low else 2
    lines = wrapped(first, width, indent=_INDENT, most=1)
    lines += wrapped(", ".join(_figures(engine, status.sample.t)), width, "dim", indent=_INDENT, most=most)
    if engine.hosts:
        parts = ", ".join(engine.hosts)
        lines += wrapped(f"part {engine.part + 1} of {len(engine.hosts)}: {parts}", width, "dim", indent=_INDENT)
    for users in users_of(engine.name, status.experiments):
        lines += wrapped(users.sentence, width, "strong" if users.share_bp else "dim", indent=_INDENT, most=1)
    return lines + _asked(asked, width, most)


def _figures(engine: EngineStatus, now: float) -> list[str]:
    """What is known and stands in no column at 80 cells."""
    up = engine.started_at is not None and engine.state not in ("failed", "stopped", "restarting")
    known = (
        (f"up {age(now - (engine.started_at or now))}", up),
        (f"ready after {engine.ready_s or 0:.1f} s", engine.ready_s is not None),
        (f"pid {engine.pid}", engine.pid is not None),
        (f"RSS {size(engine.rss_bytes)}", engine.rss_bytes is not None),
        (f"KV cache {whole_percent(engine.kv_usage or 0.0, 1.0)} full", engine.kv_usage is not None),
        (f"TTFT p95 {short_duration(engine.ttft_p95_ms)}", engine.ttft_p95_ms is not None),
        (f"ITL p95 {short_duration(engine.itl_p95_ms)}", engine.itl_p95_ms is not None),
        (f"{number(engine.prompt_tokens_per_s)} prompt tok/s", engine.prompt_tokens_per_s is not None),
        (f"{engine.served_name} at {engine.url}", bool(engine.url)),
    )
    return [text for text, there in known if there]


def _asked(asked: Asked[EngineDetail], width: int, most: int) -> list[Line]:
    detail = asked.value
    if detail is None:
        return wrapped(f"starts: not known: {asked.error.detail}", width, "stale", _INDENT, 1) if asked.error else []
    lines: list[Line] = []
    if detail.starts:
        last = detail.starts[-1]
        before = next((one for one in reversed(detail.starts[:-1]) if one.replica == last.replica), None)
        other = ", ".join(changes(before, last)) if before else ""
        told = f", with another {other}" if other else ", nothing else than before" if before else ""
        text = f"{plural(len(detail.starts), 'start')} on record, the last {clock(last.t)}{told}"
        lines += wrapped(text, width, "dim", indent=_INDENT, most=most)
    for entry in detail.timeline[-most:]:
        text = f"{entry.text} ({entry.by or 'somebody'})"
        lines.append(line(span(f"{_INDENT}{clock(entry.t)} {entry.kind:<8} ", "dim"), span(text)))
    return lines
