"""Follow a deployment to its end."""

from __future__ import annotations

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.events import EngineEvent, EngineGone, Snapshot

_FAILED_STATUS = 500


async def wait_until_ready(client: AgentClient, name: str, generation: int) -> EngineStatus:
    """The engine's status once this generation is ready.

    Raises:
        RemoteError: it failed, in the agent's words, or it was stopped meanwhile.
        UnreachableError: the link broke; the agent goes on.
    """
    async for event in client.events():
        match event:
            case Snapshot():
                engines = [engine for engine in event.status.engines if engine.name == name]
            case EngineEvent(engine=engine) if engine.name == name:
                engines = [engine]
            case EngineGone(name=gone) if gone == name:
                engines = []
            case _:
                continue
        if not engines:
            raise _failure(f"{name} was stopped before it was ready.")
        engine = engines[0]
        if engine.generation >= generation and engine.error:
            raise RemoteError(engine.error, _FAILED_STATUS)
        if engine.note.startswith("replacement failed"):
            raise _failure(f"{name} was not replaced, generation {engine.generation} goes on: {engine.note}.")
        if engine.generation >= generation and engine.state == "ready":
            return engine
    raise UnreachableError(
        f"The link broke while {name} was starting.", "The agent goes on: look at `quantdeck fleet`."
    )


def _failure(detail: str) -> RemoteError:
    return RemoteError(
        ErrorInfo(code="deploy-failed", title="Deployment failed", detail=detail, hint="Read the engine's log there."),
        _FAILED_STATUS,
    )
