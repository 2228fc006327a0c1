"""The engines of a host as a table, those that need somebody first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from quantdeck_console.model.text import Line, Span, Tone, left, right, wrapped
from quantdeck_core.fleet.cells import NONE, number, short_duration, size, whole_percent
from quantdeck_core.protocol.engine import EngineState, EngineStatus

_WORST_FIRST: tuple[EngineState, ...] = ("failed", "hung", "restarting")
_STATES = {"failed": "failed x", "hung": "hung x", "restarting": "restart !"}
_TONES: dict[str, Tone] = {"ready": "ok", "failed": "fail", "hung": "fail", "restarting": "warn", "stopped": "dim"}
_WIDE = 110
_MUCH = 1.05
"""Times the plan: more than that is worth a look."""
_NO_MARK = Span(" ")


class EngineColumns(NamedTuple):
    """Widths in cells; 0 leaves a column out. The other columns have fixed widths.

    Attributes:
        memory: what was planned and what was taken, together.
        more: resident memory, KV cache, and time to first token, 0 or their width together.
    """

    name: int
    model: int
    gpus: int
    memory: int
    more: int

    @classmethod
    def for_engines(cls, engines: Iterable[EngineStatus], width: int) -> EngineColumns:
        """80 columns show what is acted upon; more room shows more, then longer names."""
        more = 8 + 1 + 4 + 1 + 6 + 1 if width >= _WIDE else 0
        listed = 5 if any(one.gpus for one in engines) else 0
        known = any(one.planned_bytes is not None or one.measured_bytes is not None for one in engines)
        memory = 8 + 1 + 8 + 1 if known else 0
        room = width - (1 + 1 + 9 + 1 + listed + memory + more + 5 + 1 + 8 + 1 + 3 + 1)
        name = max(8, min(24, room // 2))
        return cls(name, model=max(6, min(40, room - name - 1)), gpus=listed, memory=memory, more=more)


def worst_first(engines: Iterable[EngineStatus]) -> list[EngineStatus]:
    """Failed, hung and restarting ones before the others, which stay in the agent's order."""
    order = {state: place for place, state in enumerate(_WORST_FIRST)}
    return sorted(engines, key=lambda engine: order.get(engine.state, len(order)))


def engine_head(columns: EngineColumns) -> Line:
    """Column names."""
    memory = (*right("PLANNED", 8), Span(" "), *right("TOOK", 8), Span(" "))
    more = (*right("RSS", 8), Span(" "), *right("KV", 4), Span(" "), *right("TTFT95", 6), Span(" "))
    cells = (
        *left("ENGINE", columns.name), Span(" "), *left("STATE", 9), Span(" "), *left("MODEL", columns.model),
        Span(" "), *(left("GPU", columns.gpus) if columns.gpus else ()), *(memory if columns.memory else ()),
        *(more if columns.more else ()), *right("TOK/S", 5), Span(" "),
        *right("RUN/WAIT", 8), Span(" "), *right("GEN", 3),
    )  # fmt: skip
    return (Span(" "), *(Span(part.text, "head") for part in cells))


def engine_line(engine: EngineStatus, columns: EngineColumns, mark: Span = _NO_MARK) -> Line:
    """One engine, with a mark before it."""
    queue = (
        NONE if engine.running is None and engine.waiting is None else f"{engine.running or 0}/{engine.waiting or 0}"
    )
    kv = NONE if engine.kv_usage is None else whole_percent(engine.kv_usage, 1.0)
    memory = (
        *_right(size(engine.planned_bytes), 8), Span(" "),
        *_right(size(engine.measured_bytes), 8, "warn" if _took_more(engine) else ""), Span(" "),
    )  # fmt: skip
    more = (
        *_right(size(engine.rss_bytes), 8), Span(" "), *_right(kv, 4), Span(" "),
        *_right(short_duration(engine.ttft_p95_ms), 6), Span(" "),
    )  # fmt: skip
    return (
        mark, *left(engine.name, columns.name, "strong"), Span(" "),
        *left(_STATES.get(engine.state, engine.state), 9, _TONES.get(engine.state, "strong")), Span(" "),
        *left(engine.model, columns.model), Span(" "),
        *(left(gpu_list(engine.gpus), columns.gpus) if columns.gpus else ()),
        *(memory if columns.memory else ()), *(more if columns.more else ()),
        *_right(number(engine.tokens_per_s), 5), Span(" "), *_right(queue, 8), Span(" "),
        *right(str(engine.generation), 3),
    )  # fmt: skip


def engine_notes(engine: EngineStatus, width: int) -> list[Line]:
    """What goes on beside its state, and why it failed."""
    lines = wrapped(engine.note, width, "dim", indent="   ", most=1) if engine.note else []
    if engine.error:
        lines += wrapped(f"{engine.error.title}: {engine.error.detail}", width, "warn", indent="   ", most=2)
        lines += wrapped(engine.error.hint, width, "dim", indent="   ", most=1)
    return lines


def engine_lines(engines: Iterable[EngineStatus], width: int) -> list[Line]:
    """The whole table."""
    ordered = worst_first(engines)
    columns = EngineColumns.for_engines(ordered, width)
    lines = [engine_head(columns)]
    for engine in ordered:
        lines += [engine_line(engine, columns), *engine_notes(engine, width)]
    return lines


def _took_more(engine: EngineStatus) -> bool:
    return bool(engine.planned_bytes and engine.measured_bytes and engine.measured_bytes > _MUCH * engine.planned_bytes)


def gpu_list(indices: tuple[int, ...]) -> str:
    """``0``, ``0-3``, ``0,2``; `NONE` for none."""
    if not indices:
        return NONE
    if len(indices) > 1 and indices == tuple(range(indices[0], indices[-1] + 1)):
        return f"{indices[0]}-{indices[-1]}"
    return ",".join(map(str, indices))


def _right(text: str, width: int, tone: Tone = "") -> Line:
    return right(text, width, "dim" if text == NONE else tone)
