"""What commands share: options, one-off connections, and output as text or JSON."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import socket
import sys
import textwrap
import uuid
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from quantdeck_console.link.connect import agent_of
from quantdeck_console.link.fleet_file import Fleet, Host, default_fleet_path, load_fleet
from quantdeck_core.errors import InputError, NotFoundError, QuantdeckError
from quantdeck_core.protocol.host import HostStatus

if TYPE_CHECKING:
    from quantdeck_console.link.agent_client import AgentClient

T = TypeVar("T")
_WIDTH = 100


def parser_for(command: str, description: str, *, fleet: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that every command has."""
    parser = argparse.ArgumentParser(prog=f"quantdeck {command}", description=description)
    parser.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
    if fleet:
        add_fleet_option(parser)
    return parser


def add_fleet_option(parser: argparse.ArgumentParser) -> None:
    """`--fleet FILE`."""
    parser.add_argument(
        "--fleet", type=Path, default=default_fleet_path(), help="fleet file (default: $QUANTDECK_FLEET or %(default)s)"
    )


def positive(text: str) -> int:
    """A whole number from 1 on.

    Raises:
        argparse.ArgumentTypeError, ValueError: it is none.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def emit(as_json: bool, body: object, lines: Iterable[str]) -> None:
    """Print a result: the body as JSON, or the lines."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(body), indent=2).decode() + "\n")
        return
    for line in lines:
        sys.stdout.write(line + "\n")


def wrapped(text: str, indent: str) -> list[str]:
    """Lines of at most `_WIDTH` columns; those after the first are indented."""
    return textwrap.wrap(text.rstrip(), _WIDTH, subsequent_indent=indent, drop_whitespace=True)


def who() -> str:
    """Who asks, for the timeline: `user@machine`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def new_request_id() -> str:
    """An id for one change; the same one sent again is applied once."""
    return os.environ.get("QUANTDECK_REQUEST_ID") or uuid.uuid4().hex


async def ask(host: Host, call: Callable[[AgentClient], Awaitable[T]]) -> T:
    """Connect to one host, ask once, disconnect."""
    async with agent_of(host) as client:
        return await call(client)


async def statuses(fleet: Fleet) -> dict[str, HostStatus | QuantdeckError]:
    """Every host's status, or why there is none; all at once."""

    async def one(host: Host) -> HostStatus | QuantdeckError:
        try:
            return await ask(host, lambda client: client.status())
        except QuantdeckError as error:
            return error

    return dict(zip((h.name for h in fleet.host), await asyncio.gather(*map(one, fleet.host)), strict=True))


def host_named(fleet: Fleet, name: str) -> Host:
    """A host of the fleet.

    Raises:
        NotFoundError: it is not in the file.
    """
    for host in fleet.host:
        if host.name == name:
            return host
    raise NotFoundError(f"No host {name!r} in the fleet.", f"There are: {', '.join(h.name for h in fleet.host)}.")


def run_with_fleet(options: argparse.Namespace, work: Callable[[Fleet], Awaitable[T]]) -> T:
    """Load the fleet file and run a command's coroutine."""

    async def go() -> T:
        return await work(load_fleet(options.fleet))

    return asyncio.run(go())


def read_text(file: Path) -> str:
    """A file's text.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {file}: {error}.", "Check the path.") from None


def parse_reason(text: str) -> str:
    """A reason that says something.

    Raises:
        InputError: it is empty.
    """
    if not text.strip():
        raise InputError("The reason is empty.", "Say in a few words why, for whoever reads the timeline tomorrow.")
    return text.strip()
