"""`quantdeck canary EXPERIMENT`: ask both arms the fixed prompts now, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_console.commands.common import new_request_id, parser_for, who, wrapped
from quantdeck_console.commands.each_gateway import ask_each
from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_core.canary.report import ArmFigures, CanaryReport, Distance
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.cells import percent
from quantdeck_core.protocol.canary import CanaryState, RunCanary

_CODES = {"passed": ExitCode.DONE, "failed": ExitCode.NO, "unavailable": ExitCode.FAILED}


def main(argv: list[str]) -> int:
    """Run it on every gateway that runs the experiment; 0 passed, 3 failed, 1 an arm could not be asked."""
    parser = parser_for("canary", "Ask both arms the fixed prompts and compare.")
    parser.add_argument("experiment")
    parser.add_argument("--last", action="store_true", help="show the last report, ask nothing")
    parser.add_argument(
        "--fresh", action="store_true", help="another model was put there on purpose: forget what the arms said before"
    )
    options = parser.parse_args(argv)
    wish = RunCanary(request_id=new_request_id(), by=who(), fresh=options.fresh)

    async def question(client: CanaryClient) -> CanaryState:
        if options.last:
            return await client.canary(options.experiment)
        return await client.run_canary(options.experiment, wish)

    return ask_each(
        options, question, _lines, lambda state: _CODES[state.report.outcome] if state.report else ExitCode.NO
    )


def _lines(state: CanaryState) -> Iterator[str]:
    report = state.report
    if report is None:
        yield "no canary has run yet" + (", one is under way" if state.running else "")
        return
    yield from wrapped(f"{report.outcome.upper()}: {report.reason}", "  ")
    if report.hint:
        yield f"  next: {report.hint}"
    if report.note:
        yield from wrapped(f"  note: {report.note}", "    ")
    yield from _figures(report)
    if not state.current and report.outcome != "unavailable":
        yield "  other engines serve now than those that it asked"


def _figures(report: CanaryReport) -> Iterator[str]:
    distances = {
        "apart": report.apart,
        "short": report.short,
        "long": report.long,
        "treatment/past": report.treatment_own,
        "control/past": report.control_own,
    }
    for name, distance in distances.items():
        if distance is not None and distance.positions:
            yield f"  {name:<15}{_distance(distance)}"
    for name, arm in (("control", report.control), ("treatment", report.treatment)):
        if arm is not None:
            yield f"  {name:<15}{_arm(arm)}"
    same = f", {percent(report.alike)} of the answers the same text" if report.alike is not None else ""
    yield f"  {report.prompts} prompts in {report.seconds:.1f} s{same}"


def _distance(one: Distance) -> str:
    top = "" if one.same_top is None else f", same top {percent(one.same_top)}"
    worst = f" (max {one.max_kl:.4f}, {one.worst})"
    return f"KL {one.mean_kl:.4f} nats{worst}{top}, {one.prompts} prompts, {one.positions} positions"


def _arm(arm: ArmFigures) -> str:
    signals = {
        "loops": arm.repetition,
        "refusals": arm.refusal,
        "empty": arm.empty,
        "cut": arm.truncated,
        "refused": arm.refused,
        "failed": arm.failed,
        "late": arm.late,
        "not numbers": arm.broken,
    }
    words = "".join(f", {count} {name}" for name, count in signals.items() if count)
    perplexity = f", perplexity {arm.perplexity:.3f}" if arm.perplexity is not None else ""
    return f"{arm.engine}: {arm.answered} answered, {arm.tokens:.0f} tokens on average{words}{perplexity}"
