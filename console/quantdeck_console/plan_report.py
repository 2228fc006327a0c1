"""The memory plan as people read it, and as `--json` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_console.commands.common import wrapped
from quantdeck_core.fleet.cells import NONE, count, plural, size
from quantdeck_core.memory.advice import Advice
from quantdeck_core.memory.change import Change
from quantdeck_core.memory.correction import Correction
from quantdeck_core.memory.load import with_version
from quantdeck_core.memory.plan import Plan


class Report(Plan, frozen=True, kw_only=True):
    """The plan and what follows from it: what `--json` prints.

    Attributes:
        changes: what would make it fit, the cheapest first; empty where it fits.
    """

    subject: str
    label: str
    advice: tuple[Advice, ...] = ()
    changes: tuple[Change, ...] = ()


def report_lines(report: Report) -> Iterator[str]:
    """A table of bytes, the answers, and what to do."""
    yield f"{report.subject}: {report.label} on {report.engine}, {_where(report)}"
    yield ""
    yield f"{'':26}{'instance':>12}{'a device':>12}"
    for name, whole, one in _bytes(report):
        yield f"  {name:<24}{_size(whole):>12}{_size(one):>12}"
    yield ""
    for name, value in _answers(report):
        yield from wrapped(f"  {name:<14} {value}", " " * 17)
    for problem in report.problems:
        yield from wrapped(f"  not possible   {problem.detail} {problem.hint}", " " * 17)
    if report.changes:
        yield ""
        yield "what would make it fit, the cheapest first"
    for number, change in enumerate(report.changes, 1):
        options = f" ({' '.join(change.options)})" if change.options else ""
        yield from wrapped(f"  {number}. {change.detail}{options}", "     ")
    if report.advice:
        yield ""
        yield "advice"
    for advice in report.advice:
        yield from wrapped(f"  - {advice.detail}", "    ")


def _where(report: Report) -> str:
    if report.device is None:
        return "no device named"
    split = f", tensor parallelism {report.tensor_parallel}" if report.tensor_parallel > 1 else ""
    split += f", pipeline parallelism {report.pipeline_parallel}" if report.pipeline_parallel > 1 else ""
    return f"{report.devices} x {report.device}{split}"


def _bytes(report: Report) -> Iterator[tuple[str, int | None, int | None]]:
    gpus = report.tensor_parallel * report.pipeline_parallel
    yield "weights", report.weights_bytes, report.weights_bytes_per_gpu
    yield f"KV cache ({report.kv_type})", report.kv_bytes, report.kv_bytes // gpus
    yield "overhead", report.overhead_bytes, report.overhead_bytes // gpus
    yield "needed", report.total_bytes, report.total_bytes_per_gpu
    if report.growth_bytes:
        yield "may grow by", report.growth_bytes, report.growth_bytes
    if report.correction is not None:
        yield "without measurements", None, report.planned_total_bytes_per_gpu
    if report.room_bytes_per_gpu is not None:
        yield "the engine may have", None, report.room_bytes_per_gpu
    if report.host_bytes:
        yield "RAM besides", report.host_bytes, None


def _answers(report: Report) -> Iterator[tuple[str, str]]:
    if report.fits is not None and report.headroom_bytes_per_gpu is not None:
        spare = report.headroom_bytes_per_gpu
        yield "fits", f"yes, {size(spare)} to spare" if report.fits else f"no{_short(spare)}"
        by_weights = "" if report.replicas_by_weights is None else f"; {report.replicas_by_weights} by weights alone"
        each = "a device" if report.tensor_parallel * report.pipeline_parallel == 1 else "a group of devices"
        yield "replicas", f"{report.replicas_per_gpu} {each}, {report.replicas} in all{by_weights}"
        yield "at once", f"{_count(report.max_concurrency)} sequences of {count(report.max_model_len)} tokens"
        yield "longest", f"{_count(report.max_context)} tokens for each of {plural(report.sequences, 'sequence')}"
    a_gpu = f", {size(report.kv_bytes_per_token_per_gpu)} a GPU" if report.tensor_parallel > 1 else ""
    yield "a token", f"{size(report.kv_bytes_per_token)} of KV cache{a_gpu}"
    yield "planned for", f"{plural(report.sequences, 'sequence')} of {count(report.max_model_len)} tokens"
    if report.correction is not None:
        yield "measured", _measured(report.correction, report.engine)


def _measured(known: Correction, engine: str) -> str:
    kind = "the same flags here" if known.basis == "same" else "other flags or another device of this kind"
    more = "+" if known.overhead_bytes >= 0 else "-"
    return (
        f"{plural(known.loads, 'load')} of this model on {with_version(engine, known.engine_version)} with {kind}: "
        f"weights x {known.weights:.2f}, KV cache x {known.kv:.2f}, overhead {more} {size(abs(known.overhead_bytes))}"
    )


def _short(spare: int) -> str:
    return f", {size(-spare)} are missing" if spare < 0 else ""


def _size(amount: int | None) -> str:
    return "" if amount is None else size(amount)


def _count(amount: int | None) -> str:
    return NONE if amount is None else count(amount)
