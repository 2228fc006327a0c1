"""Planned beside measured, as people read it and as `--json` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from quantdeck_core.fleet.cells import NONE, count, plural, size
from quantdeck_core.memory.correction import error_percent, measured_need
from quantdeck_core.memory.load import Load, Source, with_version
from quantdeck_core.memory.serving import Serving
from quantdeck_core.text import clean
from quantdeck_ledger.ledger import Entry


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on one device; null where it was not measured."""

    weights_bytes: int | None
    kv_bytes: int | None
    overhead_bytes: int | None
    total_bytes: int | None


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """How much more than planned was measured, in per cent of what was planned."""

    weights: float | None
    kv: float | None
    overhead: float | None
    total: float | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement.

    Attributes:
        id: its number in the file, for `forget`.
        t: UNIX time, seconds.
        model: digest of what the checkpoint's headers say.
        flags: as the load was planned.
        sources: `nvml`, `rss`, `log` or `given`.
    """

    id: int
    t: float
    host: str
    engine: str
    engine_version: str
    model: str
    title: str
    device: str
    max_model_len: int
    sequences: int
    flags: Serving
    planned: Figures
    measured: Figures
    error_percent: Errors
    sources: tuple[Source, ...]


class Recorded(Row, frozen=True, kw_only=True):
    """What `quantdeck measure` answers; `ledger` is the file that keeps it."""

    ledger: str


def row_of(entry: Entry) -> Row:
    """A measurement with both figures and what lies between them."""
    load = entry.load
    planned, measured = load.planned, _measured(load)
    return Row(
        id=entry.id,
        t=load.t,
        host=clean(load.host, one_line=True),
        engine=load.engine,
        engine_version=clean(load.engine_version, one_line=True),
        model=clean(load.model, one_line=True),
        title=clean(load.title, one_line=True),
        device=clean(load.device, one_line=True),
        max_model_len=load.serving.max_model_len,
        sequences=load.sequences,
        flags=load.serving,
        planned=Figures(
            weights_bytes=planned.weights,
            kv_bytes=planned.kv,
            overhead_bytes=planned.overhead,
            total_bytes=planned.total,
        ),
        measured=measured,
        error_percent=Errors(
            weights=_percent(measured.weights_bytes, planned.weights),
            kv=_percent(measured.kv_bytes, planned.kv),
            overhead=_percent(measured.overhead_bytes, planned.overhead),
            total=_percent(measured.total_bytes, planned.total),
        ),
        sources=load.sources,
    )


def row_lines(row: Row) -> Iterator[str]:
    """Both figures side by side."""
    where = f"{with_version(row.engine, row.engine_version)} on {row.device}"
    yield f"{row.title}: {where}, {plural(row.sequences, 'sequence')} of {count(row.max_model_len)} tokens"
    yield ""
    yield f"{'a device':26}{'planned':>12}{'measured':>12}{'error':>10}"
    planned, measured, error = row.planned, row.measured, row.error_percent
    for name, expected, taken, off in (
        ("weights", planned.weights_bytes, measured.weights_bytes, error.weights),
        ("KV cache", planned.kv_bytes, measured.kv_bytes, error.kv),
        ("overhead", planned.overhead_bytes, measured.overhead_bytes, error.overhead),
        ("total", planned.total_bytes, measured.total_bytes, error.total),
    ):
        yield f"  {name:<24}{size(expected):>12}{size(taken):>12}{_signed(off):>10}"
    yield ""
    yield f"  measured by {', '.join(row.sources)}; number {row.id}"
    if "rss" in row.sources:
        yield "  RAM that was not used yet is not in it: measure after a long prompt was answered"


def listing(rows: Sequence[Row]) -> Iterator[str]:
    """One line a measurement, oldest first."""
    if not rows:
        yield "nothing was measured yet"
        return
    titles = [row.title if len(row.title) <= 32 else f"...{row.title[-29:]}" for row in rows]
    engines = [with_version(row.engine, row.engine_version) for row in rows]
    wide, wider = max(map(len, titles)), max(map(len, engines))
    devices = max(len("device"), *(len(row.device) for row in rows))
    yield (
        f"{'id':>5}  {'when':16}  {'model':<{wide}}  {'engine':<{wider}}  {'device':<{devices}}  "
        f"{'planned':>9}  {'measured':>9}  {'error':>8}"
    )
    for row, title, engine in zip(rows, titles, engines, strict=True):
        yield (
            f"{row.id:>5}  {_day(row.t):16}  {title:<{wide}}  {engine:<{wider}}  {row.device:<{devices}}  "
            f"{size(row.planned.total_bytes):>9}  {size(row.measured.total_bytes):>9}  "
            f"{_signed(row.error_percent.total):>8}"
        )


def _measured(load: Load) -> Figures:
    measured = load.measured
    overhead = None if measured.total is None else measured_need(load.planned, measured).overhead
    return Figures(
        weights_bytes=measured.weights,
        kv_bytes=measured.kv,
        overhead_bytes=overhead,
        total_bytes=measured.total,
    )


def _percent(measured: int | None, planned: int) -> float | None:
    error = error_percent(measured, planned)
    return None if error is None else round(error, 2)


def _signed(error: float | None) -> str:
    return NONE if error is None else f"{error:+.1f} %"


def _day(t: float) -> str:
    return datetime.fromtimestamp(t).strftime("%Y-%m-%d %H:%M")
