"""`quantdeck rollback EXPERIMENT --reason ...`: everyone back to the control, latched.

A host that cannot be asked is pending: the wish is on this machine's disk before it is said, and `quantdeck guard` or
the same command carries it out, with the same request id.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping

from quantdeck_console.commands.changes import Outcome, exit_code, find_experiment
from quantdeck_console.commands.common import ask, emit, new_request_id, parse_reason, parser_for, run_with_fleet, who
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.pending import PendingFile, PendingFileError
from quantdeck_core.errors import ExitCode, QuantdeckError, RemoteError
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, Rollback
from quantdeck_core.rollout.wish import KEPT_S, Wish, personal
from quantdeck_core.text import clean

Results = dict[str, Applied | QuantdeckError]


def main(argv: list[str]) -> int:
    """Roll back on every gateway that runs the experiment."""
    parser = parser_for("rollback", "Put everyone back on the control. It stays so until the latch is cleared.")
    parser.add_argument("experiment")
    parser.add_argument("--reason", required=True, help="for the timeline")
    options = parser.parse_args(argv)
    asking = _Asking(options.experiment, parse_reason(options.reason), PendingFile())
    results = run_with_fleet(options, asking.everywhere)
    outcomes = {host: asking.outcome(host, one) for host, one in results.items()}
    lines = (clean(f"{host}: {one.line('everyone on the control')}", one_line=True) for host, one in outcomes.items())
    emit(options.json, outcomes, lines)
    return ExitCode.PARTLY if asking.kept else exit_code(results)


class _Asking:
    """One rollback.

    Attributes:
        kept: what is pending now, by host; on disk.
    """

    def __init__(self, experiment: str, reason: str, file: PendingFile) -> None:
        self._experiment, self._reason, self._file = experiment, reason, file
        self._by, self._now, self._id = who(), time.time(), new_request_id()
        self.kept: Mapping[str, Wish] = {}

    async def everywhere(self, fleet: Fleet) -> Results:
        """Ask all gateways at once, and keep what could not be asked.

        Raises:
            NotFoundError: every host answered, and none runs the experiment.
        """
        found, silent = await find_experiment(fleet, self._experiment)
        before = self._before()
        wishes = {host.name: self._wish(before, host.name) for host in fleet.host}

        async def one(host: Host, status: ExperimentStatus) -> Applied | QuantdeckError:
            wish = wishes[host.name]
            change = Rollback(request_id=wish.request_after(status.state.cleared), by=wish.by, reason=wish.reason)
            try:
                return await ask(host, lambda client: client.roll_back(self._experiment, change))
            except QuantdeckError as error:
                return error

        answers = await asyncio.gather(*(one(host, status) for host, status in found))
        results: Results = dict(zip((host.name for host, _ in found), answers, strict=True))
        results |= silent
        kept = {host: wishes[host] for host, one in results.items() if _is_open(one)}
        answered = wishes.keys() - kept.keys()
        over = [one for one in before if one == personal(before, self._experiment, one.host) and one.host in answered]
        if self._changed(kept, over):
            self.kept = kept
        return results

    def outcome(self, host: str, result: Applied | QuantdeckError) -> Outcome:
        """What became of it on one host."""
        if isinstance(result, QuantdeckError):
            return Outcome(error=result.info(), pending=self.kept.get(host))
        return Outcome.of(result)

    def _before(self) -> tuple[Wish, ...]:
        try:
            return self._file.read()
        except PendingFileError as error:
            # Hosts that answer are rolled back all the same.
            _warn(error)
            return ()

    def _wish(self, before: tuple[Wish, ...], host: str) -> Wish:
        wish = personal(before, self._experiment, host)
        if wish and self._now - wish.made < KEPT_S:
            return wish.renewed(self._by, self._reason, self._now)
        return Wish(
            experiment=self._experiment,
            host=host,
            request_id=self._id,
            by=self._by,
            reason=self._reason,
            asked=self._now,
            made=self._now,
        )

    def _changed(self, kept: dict[str, Wish], over: list[Wish]) -> bool:
        """Whether it is on disk."""
        try:
            self._file.change(kept.values(), over)
        except PendingFileError as error:
            _warn(error)
            return False
        return True


def _is_open(result: Applied | QuantdeckError) -> bool:
    """Whether a later try may do it. An agent that refused has answered; one that failed (5xx) has not."""
    if isinstance(result, Applied):
        return False
    return not isinstance(result, RemoteError) or result.status >= 500


def _warn(error: QuantdeckError) -> None:
    sys.stderr.write(clean(f"warning: {error.detail} {error.hint}", one_line=True) + "\n")
