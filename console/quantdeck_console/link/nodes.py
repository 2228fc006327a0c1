"""A model over several hosts: their agents do not know each other, so whoever deploys it asks all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import msgspec

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.connect import agent_of
from quantdeck_console.link.deployment import follow, wait_until_ready
from quantdeck_console.link.fleet_file import Host
from quantdeck_core.engines.over_hosts import require_placement
from quantdeck_core.errors import InputError, QuantdeckError, RemoteError
from quantdeck_core.profile.nodes import Member, Placement
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.operation import Intended, Operation
from quantdeck_core.protocol.requests import Applied, Cancel, Deploy, Stop

T = TypeVar("T")
_REFUSED, _NOT_THERE = 409, 404
Progress = Callable[[str, Operation], None]
"""Called with a host's name and how far its operation is."""


def placed(profile: Profile, hosts: Sequence[Host]) -> tuple[Profile, ...]:
    """The profile as each of the hosts gets it, the head first.

    Raises:
        InputError: it is for one host, or a host has no address for the others.
        PlacementError: the hosts do not go together.
    """
    nodes = profile.nodes
    if nodes is None:
        raise InputError(f"{profile.name} is for one host.", "Give one --host, or write [nodes] in the profile.")
    nameless = next((host.name for host in hosts if not host.address), None)
    if nameless is not None:
        raise InputError(
            f"{nameless} has no address in the fleet file.",
            'Write the private address at which the other hosts reach it: address = "10.0.0.7".',
        )
    members = tuple(Member(host=host.name, address=host.address, port=host.ray_port) for host in hosts)
    if len(members) != nodes.count:
        raise InputError(
            f"{profile.name} needs {nodes.count} hosts, and {len(members)} are named.",
            "Give --host for each, the head first.",
        )
    profiles = []
    for rank in range(len(members)):
        here = msgspec.structs.replace(nodes, placement=Placement(members=members, rank=rank))
        require_placement(profile, here)
        profiles.append(msgspec.structs.replace(profile, nodes=here))
    return tuple(profiles)


async def intend_over(hosts: Sequence[Host], wish: Deploy) -> dict[str, Intended]:
    """What would be done on each of the hosts; nothing is begun.

    Raises:
        QuantdeckError: it cannot be done at all.
    """
    wishes = _wishes(hosts, wish)
    async with _clients(hosts) as clients:
        intended = await _all(hosts, (client.intend(one) for client, one in zip(clients, wishes, strict=True)))
    return dict(zip((host.name for host in hosts), intended, strict=True))


async def deploy_over(
    hosts: Sequence[Host], wish: Deploy, progress: Progress = lambda _host, _operation: None
) -> dict[str, EngineStatus]:
    """Start a model on all of its hosts; each host's part once it is ready.

    All of them are asked first whether they can, so that a refusal leaves nothing half done. Where one fails later,
    what was begun on the others is ended again.

    Args:
        wish: its profile has no placement yet.

    Raises:
        QuantdeckError: it was refused or failed; it says on which host.
    """
    wishes = _wishes(hosts, wish)
    async with _clients(hosts) as clients:
        intended = await _all(hosts, (client.intend(one) for client, one in zip(clients, wishes, strict=True)))
        _require_agreement(hosts, intended, wish.force)
        begun: list[tuple[AgentClient, Applied]] = []
        try:
            for host, client, one in zip(hosts, clients, wishes, strict=True):
                begun.append((client, await _at(host, client.deploy(one))))
            name = wish.name or wish.profile.name
            ready = [
                wait_until_ready(client, name, applied.operation, _of(host.name, progress))
                for host, (client, applied) in zip(hosts, begun, strict=True)
            ]
            statuses = await _all(hosts, ready)
        except QuantdeckError:
            await _take_back(begun, wish)
            raise
    return dict(zip((host.name for host in hosts), statuses, strict=True))


async def stop_over(hosts: Sequence[Host], name: str, wish: Stop) -> dict[str, Applied | QuantdeckError]:
    """End a model's parts, the server's first, so that its answers can end; what every host says, or why it does not.

    A host that does not answer keeps its part until it is asked again: its agent wants it, whatever the others do.

    Raises:
        RemoteError: nothing of this name is on any of them.
    """
    said: dict[str, Applied | QuantdeckError] = {}
    missing: RemoteError | None = None
    for host in hosts:
        try:
            async with agent_of(host) as client:
                applied = await client.stop(name, wish)
                said[host.name] = applied
                await follow(client, applied.operation)
        except QuantdeckError as error:
            said[host.name] = error
            if isinstance(error, RemoteError) and error.status == _NOT_THERE:
                missing, said[host.name] = error, Applied(revision=0, detail="nothing of it was here")
    if missing is not None and not any(one.operation for one in said.values() if isinstance(one, Applied)):
        raise missing
    return said


def _wishes(hosts: Sequence[Host], wish: Deploy) -> list[Deploy]:
    return [msgspec.structs.replace(wish, profile=profile) for profile in placed(wish.profile, hosts)]


def _require_agreement(hosts: Sequence[Host], intended: Sequence[Intended], force: bool) -> None:
    """All hosts can do it, with the same engine and the same path."""
    for host, one in zip(hosts, intended, strict=True):
        if one.refusal is not None and not force:
            raise _named(host, RemoteError(one.refusal, _REFUSED))
    for what, values in (
        ("vLLM", [one.version for one in intended]),
        ("the checkpoint's path", [one.model_path for one in intended]),
    ):
        other = next((index for index, value in enumerate(values) if value != values[0]), None)
        if other is not None:
            raise InputError(
                f"{what} is {values[0]} on {hosts[0].name} and {values[other]} on {hosts[other].name}.",
                "The head's command is carried out on all hosts: both must be the same everywhere.",
            )


async def _take_back(begun: Iterable[tuple[AgentClient, Applied]], wish: Deploy) -> None:
    """End what was begun. A host that cannot be asked any more is said by the error that led here."""
    for client, applied in begun:
        try:
            if wish.replace:
                await client.cancel(applied.operation, Cancel(request_id=f"{wish.request_id}-back", by=wish.by))
            else:
                await client.stop(
                    wish.name or wish.profile.name, Stop(request_id=f"{wish.request_id}-back", by=wish.by)
                )
        except QuantdeckError:
            continue


@asynccontextmanager
async def _clients(hosts: Sequence[Host]) -> AsyncIterator[list[AgentClient]]:
    async with AsyncExitStack() as stack:
        yield [await _at(host, stack.enter_async_context(agent_of(host))) for host in hosts]


async def _at(host: Host, call: Awaitable[T]) -> T:
    """An answer, or a refusal with the host's name."""
    try:
        return await call
    except RemoteError as error:
        raise _named(host, error) from None


def _named(host: Host, error: RemoteError) -> RemoteError:
    info = msgspec.structs.replace(error.remote, detail=f"{host.name}: {error.remote.detail}")
    return RemoteError(info, error.status)


async def _all(hosts: Sequence[Host], calls: Iterable[Awaitable[T]]) -> list[T]:
    """All answers; the first that fails ends the waiting for the others."""
    tasks = [asyncio.ensure_future(_at(host, call)) for host, call in zip(hosts, calls, strict=True)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _of(host: str, progress: Progress) -> Callable[[Operation], None]:
    return lambda operation: progress(host, operation)
