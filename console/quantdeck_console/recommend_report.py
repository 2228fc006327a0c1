"""Recommendations as people read them."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_console.commands.common import wrapped
from quantdeck_core.fleet.cells import NONE, count, gigabytes, plural
from quantdeck_core.recommend.answer import Answer, Asked, Nearest, Recommendation

_HEAD = f"{'':>2} {'format':<24} {'engine':<12} {'verdict':<7} {'TP x PP':<7} {'replicas':>8} "
_HEAD += f"{'weights':>8} {'a GPU':>8} {'at once':>7}"


def report_lines(said: Recommendation, top: int, *, rejected: bool) -> Iterator[str]:
    """A table of the first `top`, then each with its reasons.

    Args:
        rejected: whether to list what was not recommended.
    """
    yield from wrapped(_question(said.question), "  ")
    if not said.answers:
        yield ""
        yield "Nothing fits."
    else:
        yield ""
        yield _HEAD
    shown = said.answers[:top]
    for answer in shown:
        yield _row(answer)
    for answer in shown:
        yield ""
        yield from _answer(answer)
    if said.nearest:
        yield ""
        yield from _nearest(said.nearest)
    if said.notes:
        yield ""
    for note in said.notes:
        yield from wrapped(f"note: {note}", "      ")
    if rejected or not said.answers:
        yield ""
        yield "not recommended"
        for one in said.rejected:
            yield from wrapped(f"  {one.title} on {one.engine}: {one.reason}", "    ")
    hidden = len(said.answers) - len(shown)
    if hidden > 0:
        yield f"{plural(hidden, 'more answer')}: --top {len(said.answers)}"


def _question(asked: Asked) -> str:
    model = "a model" if asked.parameters is None else f"{asked.parameters / 1e9:.3g}B parameters"
    shape = f" in the shape of {asked.shape_of}" if asked.shape_of else f" ({asked.model})"
    joined = f" on {asked.link}" if asked.devices > 1 else ""
    many = "" if asked.sequences is None else f", {plural(asked.sequences, 'sequence')} at once"
    length = f"{count(asked.context)} tokens{' (long)' if asked.long else ''}"
    first = "balanced" if asked.first == "balance" else f"{asked.first} first"
    return f"{model}{shape} on {asked.devices} x {asked.device}{joined}: {first}, {length}{many}, for {asked.use}"


def _row(answer: Answer) -> str:
    division = f"{answer.tensor_parallel} x {answer.pipeline_parallel}"
    return (
        f"{answer.rank:>2} {answer.title[:24]:<24} {answer.engine:<12} {answer.verdict:<7} {division:<7} "
        f"{answer.replicas:>8} {gigabytes(answer.weights_bytes):>8} {gigabytes(answer.weights_bytes_per_gpu):>8} "
        f"{count(answer.max_concurrency):>7}"
    )


def _answer(answer: Answer) -> Iterator[str]:
    yield f"{answer.rank}. {answer.title}"
    for name, texts in (
        ("because", answer.reasons),
        ("quality", (_quality(answer),)),
        ("mind", answer.warnings),
        ("make", answer.make),
        ("profile", (f"quantdeck profile show {answer.profile}",) if answer.profile else ()),
    ):
        for number, text in enumerate(texts):
            yield from wrapped(f"   {name if number == 0 else '':<8} {text}", " " * 12)


def _quality(answer: Answer) -> str:
    quality = answer.quality
    more = "" if quality.kld is None else f", KL divergence {quality.kld:.4f}"
    more += "" if quality.same_top is None else f", {quality.same_top * 100:.0f} % of most likely tokens unchanged"
    return f"loss: {quality.said}{more} ({quality.source or NONE})"


def _nearest(nearest: Nearest) -> Iterator[str]:
    yield from wrapped(
        f"nearest: {nearest.title} on {nearest.engine} needs {gigabytes(nearest.total_bytes_per_gpu)} a device, of "
        f"{gigabytes(nearest.room_bytes_per_gpu)} that it may have. It would fit:",
        "         ",
    )
    for change in nearest.changes:
        yield from wrapped(f"  - {change.detail}", "    ")
    if nearest.devices:
        yield f"  - With {nearest.devices} of these GPUs."
    if nearest.device:
        yield f"  - On {nearest.device}."
    if nearest.memory_bytes:
        yield f"  - With {nearest.memory_bytes >> 30} GiB of RAM."
    if not (nearest.changes or nearest.devices or nearest.device or nearest.memory_bytes):
        yield "  - On no device of the table: take a smaller model."
