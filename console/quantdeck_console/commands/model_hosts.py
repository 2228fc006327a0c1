"""What the actions of `quantdeck model` share: which hosts are meant, and one account of all of them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from quantdeck_console.commands.common import emit, host_named
from quantdeck_console.link.connect import client_of
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.model_client import ModelClient
from quantdeck_core.errors import ErrorInfo, ExitCode, InputError, NotFoundError, QuantdeckError, exit_code_of
from quantdeck_core.protocol.models import Garbage, Job, ModelList

T = TypeVar("T")
HOSTS_AT_ONCE = 8


class HostOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an action on one host: exactly one of them; a job that failed has its own error."""

    host: str
    job: Job | None = None
    jobs: tuple[Job, ...] | None = None
    models: ModelList | None = None
    garbage: Garbage | None = None
    error: ErrorInfo | None = None


def add_host_options(parser: argparse.ArgumentParser, *, everyone: bool) -> None:
    """`--host`, `--label` and `--all`.

    Args:
        everyone: all hosts are meant where none is named.
    """
    parser.add_argument("--host", action="append", default=[], metavar="HOST", help="a host of the fleet; repeatable")
    parser.add_argument(
        "--label", action="append", default=[], metavar="LABEL", help="hosts with this label; repeatable"
    )
    parser.add_argument("--all", action="store_true", default=everyone, help="every host of the fleet")


def chosen_hosts(fleet: Fleet, options: argparse.Namespace) -> list[Host]:
    """Hosts by name and label; all, where that was asked for and nothing narrower.

    Raises:
        InputError: none was named.
        NotFoundError: a name or a label that no host has.
    """
    named = [host_named(fleet, name) for name in options.host]
    for label in options.label:
        labelled = [host for host in fleet.host if label in host.labels]
        if not labelled:
            raise NotFoundError(f"No host has the label {label!r}.", "fleet.toml gives labels.")
        named += labelled
    if named:
        return list({host.name: host for host in named}.values())
    if not options.all:
        raise InputError("No host was named.", "Use --host NAME, --label LABEL or --all.")
    return list(fleet.host)


async def on_each(
    hosts: Sequence[Host], work: Callable[[Host, ModelClient], Awaitable[T]]
) -> dict[str, T | QuantdeckError]:
    """The same on several hosts at once; one that fails does not stop the others."""
    turn = asyncio.Semaphore(HOSTS_AT_ONCE)

    async def one(host: Host) -> T | QuantdeckError:
        async with turn:
            try:
                async with client_of(host, ModelClient) as client:
                    return await work(host, client)
            except QuantdeckError as error:
                return error

    return dict(zip((host.name for host in hosts), await asyncio.gather(*map(one, hosts)), strict=True))


def report(
    as_json: bool, results: Mapping[str, HostOutcome | QuantdeckError], lines: Callable[[HostOutcome], Sequence[str]]
) -> int:
    """Print what happened host by host, and return the exit code: 4 where it worked on some hosts only."""
    outcomes = [
        HostOutcome(host=host, error=one.info()) if isinstance(one, QuantdeckError) else one
        for host, one in results.items()
    ]
    emit(as_json, outcomes, (line for outcome in outcomes for line in _lines(outcome, lines)))
    errors = [one for one in results.values() if isinstance(one, QuantdeckError)]
    failed = [one for one in outcomes if one.job and one.job.state in ("failed", "cancelled")]
    if not errors and not failed:
        return ExitCode.DONE
    if len(errors) + len(failed) < len(outcomes):
        return ExitCode.PARTLY
    return exit_code_of(errors[0]) if errors else ExitCode.NO


def _lines(outcome: HostOutcome, lines: Callable[[HostOutcome], Sequence[str]]) -> list[str]:
    error = outcome.error or (outcome.job.error if outcome.job else None)
    if error:
        return [f"{outcome.host}: FAILED: {error.detail}", *([f"  next: {error.hint}"] if error.hint else [])]
    return list(lines(outcome))
