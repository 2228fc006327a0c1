"""`quantdeck judge FILE.jsonl`: what the judge says of recorded answers, by the same code as in production."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import get_args

import msgspec

from quantdeck_console.commands.common import emit, parser_for, wrapped
from quantdeck_console.recorded_answers import in_order, observations, sorted_observations
from quantdeck_core.drift.judge import Judge
from quantdeck_core.drift.observation import Observation
from quantdeck_core.drift.thresholds import Preset, Thresholds, thresholds_of
from quantdeck_core.drift.verdict import Verdict, VerdictKind
from quantdeck_core.errors import ExitCode, InputError, NotFoundError
from quantdeck_core.fleet.cells import count


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints.

    Attributes:
        verdict: the first breach, else what stands at the end.
        treatment_outputs, control_outputs: answers until the first breach, else all.
        needed: answers still missing for a verdict.
        left_out: answers that were not judged, since their user had enough of them; part of the counts.
        signals: each by itself at that moment.
    """

    verdict: VerdictKind
    signal: str
    reason: str
    treatment_outputs: int
    control_outputs: int
    needed: int = 0
    left_out: int = 0
    signals: dict[str, Verdict] = {}


def main(argv: list[str]) -> int:
    """Judge a file, or standard input; 0 unless the verdict is a breach or an unhealthy control (3)."""
    parser = parser_for(
        "judge",
        "What the judge says of recorded answers: control against treatment, by the code of production.",
        fleet=False,
    )
    parser.add_argument("file", help="one JSON object a line: variant, text, prompt_tokens, t; - is standard input")
    parser.add_argument("--preset", choices=get_args(Preset), default="lesson", help="limits (default: %(default)s)")
    options = parser.parse_args(argv)
    report = _judge_file(options.file, thresholds_of({"preset": options.preset}))
    emit(options.json, report, _lines(report))
    return ExitCode.NO if report.verdict in ("breach", "control-unhealthy") else ExitCode.DONE


def _judge_file(file: str, limits: Thresholds) -> Report:
    if file == "-":
        return judge_answers(observations(sys.stdin.buffer, "standard input"), "standard input", limits)
    try:
        with open(file, "rb") as lines:
            if not lines.seekable():  # a pipe by name: it is taken as it comes
                return judge_answers(observations(lines, file), file, limits)
            whole = in_order(lines)
            lines.seek(0)
            answers = observations(lines, file) if whole else sorted_observations(lines, file)
            return judge_answers(answers, file, limits)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no file {file}.", "Name a file of recorded answers, or - for standard input."
        ) from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.", "Name a file that you may read.") from error


def judge_answers(answers: Iterable[Observation], name: str, limits: Thresholds) -> Report:
    """Judge answers as they come, one after the other, until the first breach.

    Raises:
        InputError: a line that is no answer.
    """
    judge = Judge(limits)
    counts = {"control": 0, "treatment": 0}
    verdict = judge.verdict()
    for seen in answers:
        counts[seen.variant] += 1
        judge.hear(seen)
        verdict = judge.verdict()
        if verdict.kind == "breach":
            break
    if not any(counts.values()):
        raise InputError(f"There is no answer in {name}.", "Record answers of both variants, one JSON object a line.")
    return Report(
        verdict=verdict.kind,
        signal=verdict.signal,
        reason=verdict.reason,
        treatment_outputs=counts["treatment"],
        control_outputs=counts["control"],
        needed=verdict.needed,
        left_out=judge.left_out,
        signals=judge.signals(),
    )


def _lines(report: Report) -> Iterator[str]:
    yield from wrapped(f"{report.verdict}: {report.reason}", "  ")
    heard = (
        f"{count(report.treatment_outputs)} outputs of the treatment and {count(report.control_outputs)} of the control"
    )
    yield f"  {'until then ' if report.verdict == 'breach' else ''}{heard}"
    if report.left_out:
        yield f"  {count(report.left_out)} not judged: no user counts for more than a bounded share"
    for signal, one in report.signals.items():
        if one.kind in ("watch", "breach") and signal != report.signal:
            yield from wrapped(f"  {one.kind} {signal}: {one.reason}", "    ")
