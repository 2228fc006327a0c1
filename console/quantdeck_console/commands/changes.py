"""A change of one experiment on every gateway that runs it, and an honest account of where it was applied."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from quantdeck_console.commands.common import ask, emit, run_with_fleet, statuses
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_core.errors import ErrorInfo, ExitCode, NotFoundError, QuantdeckError, exit_code_of
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.wish import Wish

Change = Callable[[AgentClient, ExperimentStatus], Awaitable[Applied]]


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a change on one host: applied or an error.

    Attributes:
        pending: it is kept on this machine and will be carried out; `error` says why it is not yet.
    """

    applied: Applied | None = None
    error: ErrorInfo | None = None
    pending: Wish | None = None

    @classmethod
    def of(cls, result: Applied | QuantdeckError) -> Outcome:
        """Of what a host answered."""
        return cls(error=result.info()) if isinstance(result, QuantdeckError) else cls(applied=result)

    def line(self, done: str) -> str:
        """In words; `done` where it was applied."""
        if self.error and self.pending:
            return (
                f"PENDING: {self.error.detail} Nobody there was put back yet. {self.error.hint} It is kept: "
                f"`quantdeck guard` carries it out when the host answers, or run this command again."
            )
        if self.error:
            return f"NOT APPLIED: {self.error.detail} {self.error.hint}"
        return f"{done}, {effect_of(self.applied or Applied(revision=0))}"


async def find_experiment(
    fleet: Fleet, name: str
) -> tuple[list[tuple[Host, ExperimentStatus]], dict[str, QuantdeckError]]:
    """Hosts whose gateway runs an experiment, and hosts that did not answer and may run it too.

    Raises:
        NotFoundError: every host answered, and none runs it.
    """
    found, silent = [], {}
    for host, status in zip(fleet.host, (await statuses(fleet)).values(), strict=True):
        if isinstance(status, QuantdeckError):
            silent[host.name] = status
        else:
            found += [(host, experiment) for experiment in status.experiments if experiment.name == name]
    if not found and not silent:
        raise NotFoundError(f"No experiment {name!r} on any host.", "`quantdeck experiment list` shows them.")
    return found, silent


async def _everywhere(fleet: Fleet, name: str, change: Change) -> dict[str, Applied | QuantdeckError]:
    found, silent = await find_experiment(fleet, name)

    async def one(host: Host, experiment: ExperimentStatus) -> Applied | QuantdeckError:
        try:
            return await ask(host, lambda client: change(client, experiment))
        except QuantdeckError as error:
            return error

    applied = await asyncio.gather(*(one(host, experiment) for host, experiment in found))
    return dict(zip((host.name for host, _ in found), applied, strict=True)) | silent


def change_experiment(options: argparse.Namespace, name: str, change: Change, done: str) -> int:
    """Apply a change wherever the experiment runs, print what happened host by host, and return `exit_code`."""
    results = run_with_fleet(options, lambda fleet: _everywhere(fleet, name, change))
    outcomes = {host: Outcome.of(one) for host, one in results.items()}
    emit(options.json, outcomes, (f"{host}: {outcome.line(done)}" for host, outcome in outcomes.items()))
    return exit_code(results)


def exit_code(results: dict[str, Applied | QuantdeckError]) -> int:
    """0 where a change is effective everywhere, 4 where only on some hosts or not yet, else that of the first error."""
    errors = [one for one in results.values() if isinstance(one, QuantdeckError)]
    if errors and len(errors) == len(results):
        return exit_code_of(errors[0])
    pending = any(isinstance(one, Applied) and one.pending for one in results.values())
    return ExitCode.PARTLY if errors or pending else ExitCode.DONE


def effect_of(applied: Applied) -> str:
    """When a change of the split took effect, or why it has not yet."""
    return f"PENDING: {applied.detail}" if applied.pending else f"effective in {applied.effective_ms:g} ms"
