"""The same question to every gateway that runs an experiment, and one exit code for all answers."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from quantdeck_console.commands.changes import find_experiment
from quantdeck_console.commands.common import emit, run_with_fleet
from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_console.link.connect import client_of
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_core.errors import ExitCode, QuantdeckError, exit_code_of
from quantdeck_core.text import clean

T = TypeVar("T", bound=msgspec.Struct)


def ask_each(
    options: argparse.Namespace,
    question: Callable[[CanaryClient], Awaitable[T]],
    lines: Callable[[T], Iterable[str]],
    code: Callable[[T], ExitCode],
) -> int:
    """Ask, print the answers by host, and return the worst code.

    Args:
        options: with `experiment`, `fleet` and `json`.
    """

    async def everywhere(fleet: Fleet) -> dict[str, T | QuantdeckError]:
        found, silent = await find_experiment(fleet, options.experiment)

        async def one(host: Host) -> T | QuantdeckError:
            try:
                async with client_of(host, CanaryClient) as client:
                    return await question(client)
            except QuantdeckError as error:
                return error

        answers = await asyncio.gather(*(one(host) for host, _ in found))
        return dict(zip((host.name for host, _ in found), answers, strict=True)) | silent

    answers = run_with_fleet(options, everywhere)
    body = {host: {"error": one.info()} if isinstance(one, QuantdeckError) else one for host, one in answers.items()}
    emit(options.json, body, _text(answers, lines))
    return max(exit_code_of(one) if isinstance(one, QuantdeckError) else code(one) for one in answers.values())


def _text(answers: dict[str, T | QuantdeckError], lines: Callable[[T], Iterable[str]]) -> Iterable[str]:
    for host, one in answers.items():
        if isinstance(one, QuantdeckError):
            yield clean(f"{host}: {one.detail} {one.hint}".rstrip(), one_line=True)
            continue
        first, *rest = lines(one)
        yield clean(f"{host}: {first}", one_line=True)
        yield from (clean(line, one_line=True) for line in rest)
