"""Follow an operation to its end."""

from __future__ import annotations

from collections.abc import Callable

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.events import OperationEvent, Snapshot
from quantdeck_core.protocol.operation import Operation

_FAILED_STATUS, _CANCELLED_STATUS = 500, 409


async def follow(
    client: AgentClient, identifier: str, progress: Callable[[Operation], None] = lambda _: None
) -> Operation:
    """An operation once it is done.

    Args:
        progress: called whenever it is further.

    Raises:
        RemoteError: it failed, in the agent's words, or was cancelled.
        UnreachableError: the link broke; the agent goes on.
    """
    async for event in client.events():
        match event:
            case Snapshot():
                found = await client.operation(identifier)  # one that ended long ago is in no snapshot
            case OperationEvent(operation=operation) if operation.id == identifier:
                found = operation
            case _:
                continue
        progress(found)
        if found.ended is not None:
            return _done(found)
    raise UnreachableError(
        f"The link broke while {identifier} went on.", f"The agent goes on: quantdeck operation show {identifier}."
    )


async def wait_until_ready(
    client: AgentClient, name: str, identifier: str, progress: Callable[[Operation], None] = lambda _: None
) -> EngineStatus:
    """The engine's status once the operation that starts it is done.

    Raises:
        RemoteError, UnreachableError: as for `follow`; it was stopped meanwhile.
    """
    await follow(client, identifier, progress)
    for engine in (await client.status()).engines:
        if engine.name == name:
            return engine
    raise RemoteError(
        ErrorInfo(code="deploy-failed", title="Deployment failed", detail=f"{name} was stopped.", hint=""),
        _FAILED_STATUS,
    )


def _done(operation: Operation) -> Operation:
    if operation.state == "done":
        return operation
    error = operation.error or ErrorInfo(code="failed", title="It failed", detail=f"{operation.id} failed.")
    raise RemoteError(error, _CANCELLED_STATUS if operation.state == "cancelled" else _FAILED_STATUS)
