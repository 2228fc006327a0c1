"""`quantdeck drill EXPERIMENT [--live]`: rehearse a rollback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from quantdeck_console.commands.changes import find_experiment
from quantdeck_console.commands.common import ask, emit, new_request_id, parser_for, run_with_fleet, who
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_core.errors import ErrorInfo, ExitCode, QuantdeckError, exit_code_of
from quantdeck_core.fleet.cells import weight
from quantdeck_core.protocol.drill import Drill, DrillRecord


class DrillOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of it on one host: exactly one of the two."""

    drill: DrillRecord | None = None
    error: ErrorInfo | None = None


def main(argv: list[str]) -> int:
    """Rehearse on every gateway that runs the experiment: 0 where a rollback would have worked on all of them, 3 where
    it would not, 4 where that is known of some only."""
    parser = parser_for(
        "drill",
        "Rehearse a rollback: a token from every replica of the control, and the way to the gateway. Nobody is moved.",
    )
    parser.add_argument("experiment")
    parser.add_argument("--live", action="store_true", help="take everyone to the control for a moment, and back")
    options = parser.parse_args(argv)
    wish = Drill(request_id=new_request_id(), by=who(), live=options.live)

    async def one(host: Host) -> DrillRecord | QuantdeckError:
        try:
            return await ask(host, lambda client: client.drill(options.experiment, wish))
        except QuantdeckError as error:
            return error

    async def work(fleet: Fleet) -> dict[str, DrillRecord | QuantdeckError]:
        found, silent = await find_experiment(fleet, options.experiment)
        hosts = [host for host, _ in found]
        results = dict(zip((host.name for host in hosts), await asyncio.gather(*map(one, hosts)), strict=True))
        return results | silent

    results = run_with_fleet(options, work)
    outcomes = {
        host: DrillOutcome(error=one.info()) if isinstance(one, QuantdeckError) else DrillOutcome(drill=one)
        for host, one in results.items()
    }
    emit(options.json, outcomes, [line for host, one in outcomes.items() for line in drill_lines(host, one)])
    return drill_exit_code(results)


def drill_exit_code(results: dict[str, DrillRecord | QuantdeckError]) -> int:
    """The worst that is known."""
    records = [one for one in results.values() if isinstance(one, DrillRecord)]
    errors = [one for one in results.values() if isinstance(one, QuantdeckError)]
    if any(not one.passed for one in records):
        return ExitCode.NO
    if errors:
        return ExitCode.PARTLY if records else exit_code_of(errors[0])
    return ExitCode.DONE


def drill_lines(host: str, outcome: DrillOutcome) -> Iterator[str]:
    """As people read it."""
    record = outcome.drill
    if record is None:
        error = outcome.error
        yield f"{host}: NOT REHEARSED: {error.detail if error else ''}"
        if error and error.hint:
            yield f"  next: {error.hint}"
        return
    yield f"{host}: {'OK  a rollback would work' if record.passed else 'FAIL x  a rollback would not work'}"
    for reason in record.failed:
        yield f"  {reason}"
    for probe in record.probes:
        if probe.ms is not None:
            yield f"  control {probe.replica}: a token in {probe.ms:.0f} ms"
    if record.push_ms is not None:
        yield f"  gateway: a config acknowledged in {record.push_ms:.1f} ms"
    if record.zero_ms is not None:
        back = f"back at {weight(record.weight_bp)} in {record.back_ms:.1f} ms" if record.back_ms is not None else ""
        yield f"  everyone on the control in {record.zero_ms:.1f} ms{', ' + back if back else ''}"
    elif record.live:
        yield "  nobody was moved: what went before had failed"
