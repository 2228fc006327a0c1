"""Typed calls to one agent, whatever carries the HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.protocol import requests
from quantdeck_core.protocol.drill import Drill, DrillRecord
from quantdeck_core.protocol.engine import EngineDetail
from quantdeck_core.protocol.events import HEARTBEAT_S, Event
from quantdeck_core.protocol.host import HostStatus, Version
from quantdeck_core.protocol.operation import Intended, Operation, OperationList
from quantdeck_core.rollout.progress import RolloutProgress

T = TypeVar("T")

DEADLINE_S = 10.0
CHANGE_DEADLINE_S = 60.0
"""Before a start is accepted its engine is asked for its version, its checkpoint read and a plan made."""
SILENCE_S = 3 * HEARTBEAT_S
"""A stream that says nothing for so long is dead, whatever TCP thinks."""
MAX_LINE_BYTES = 16 << 20


class AgentClient:
    """One agent's paths.

    All calls raise `UnreachableError` where the agent does not answer and `RemoteError` where it refuses.
    """

    def __init__(self, host: str, transport: httpx.AsyncBaseTransport) -> None:
        self._host = host
        self._http = httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=DEADLINE_S)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def version(self) -> Version:
        """The handshake."""
        return await self._call("GET", "/v1/version", None, Version)

    async def status(self) -> HostStatus:
        """Everything, now."""
        return await self._call("GET", "/v1/status", None, HostStatus)

    async def events(self) -> AsyncIterator[Event]:
        """A snapshot, then every change, until the link breaks."""
        decoder = msgspec.json.Decoder(Event)
        async for line in self.lines("/v1/events", httpx.Timeout(DEADLINE_S, read=SILENCE_S)):
            try:
                event = decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise self._unreachable(error) from None
            yield event

    async def get(self, path: str, kind: type[T]) -> T:
        """What another part of the interface answers."""
        return await self._call("GET", path, None, kind)

    async def lines(self, path: str, timeout: httpx.Timeout) -> AsyncIterator[bytes]:
        """The lines of an answer as they come, until it ends or the link breaks.

        Only a newline ends one: `aiter_lines` of httpx also splits at characters that JSON may hold, such as U+2028.
        """
        rest = b""
        try:
            async with self._open().stream("GET", _path(path), timeout=timeout) as response:
                if response.status_code != 200:
                    raise _refusal(response.status_code, await response.aread())
                async for chunk in response.aiter_bytes():
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        yield line
                    if len(rest) > MAX_LINE_BYTES:
                        raise self._unreachable(ValueError("a line without an end"))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    async def deploy(self, ask: requests.Deploy) -> requests.Applied:
        """Begin to start or replace an engine."""
        return await self._change("/v1/engines", ask)

    async def stop(self, engine: str, ask: requests.Stop) -> requests.Applied:
        """Begin to drain and end an engine."""
        return await self._change(f"/v1/engines/{engine}/stop", ask)

    async def restart(self, engine: str, ask: requests.Restart) -> requests.Applied:
        """Begin to start an engine's processes anew."""
        return await self._change(f"/v1/engines/{engine}/restart", ask)

    async def scale(self, engine: str, ask: requests.Scale) -> requests.Applied:
        """Begin to change an engine's number of replicas."""
        return await self._change(f"/v1/engines/{engine}/scale", ask)

    async def intend(self, ask: requests.Deploy) -> Intended:
        """What a deployment would do; nothing is begun."""
        return await self._call("POST", "/v1/engines/plan", ask, Intended)

    async def engine(self, engine: str) -> EngineDetail:
        """An engine's replicas, starts and timeline."""
        return await self._call("GET", f"/v1/engines/{engine}", None, EngineDetail)

    async def operations(self) -> OperationList:
        """Operations under way and the last that ended."""
        return await self._call("GET", "/v1/operations", None, OperationList)

    async def operation(self, identifier: str) -> Operation:
        """One of them."""
        return await self._call("GET", f"/v1/operations/{identifier}", None, Operation)

    async def cancel(self, identifier: str, ask: requests.Cancel) -> requests.Applied:
        """End an operation and undo what it has begun."""
        return await self._change(f"/v1/operations/{identifier}/cancel", ask)

    async def create_experiment(self, ask: requests.CreateExperiment) -> requests.Applied:
        """Put two engines side by side."""
        return await self._change("/v1/experiments", ask)

    async def change_weight(self, experiment: str, ask: requests.ChangeWeight) -> requests.Applied:
        """Set the treatment's weight."""
        return await self._change(f"/v1/experiments/{experiment}/weight", ask)

    async def roll_back(self, experiment: str, ask: requests.Rollback) -> requests.Applied:
        """Everyone back to the control."""
        return await self._change(f"/v1/experiments/{experiment}/rollback", ask)

    async def clear_latch(self, experiment: str, ask: requests.ClearLatch) -> requests.Applied:
        """Let the treatment start again."""
        return await self._change(f"/v1/experiments/{experiment}/clear", ask)

    async def rollout(self, experiment: str) -> RolloutProgress:
        """Where its plan stands."""
        return await self._call("GET", f"/v1/experiments/{experiment}/rollout", None, RolloutProgress)

    async def start_rollout(self, experiment: str, ask: requests.StartRollout) -> requests.Applied:
        """Begin a plan."""
        return await self._change(f"/v1/experiments/{experiment}/rollout", ask)

    async def steer(self, experiment: str, ask: requests.SteerRollout) -> requests.Applied:
        """Pause, resume, promote or abort its plan."""
        return await self._change(f"/v1/experiments/{experiment}/steer", ask)

    async def finish(self, experiment: str, ask: requests.Finish) -> requests.Applied:
        """Make the treatment the new baseline."""
        return await self._change(f"/v1/experiments/{experiment}/finish", ask)

    async def freeze(self, ask: requests.FreezeAsk) -> requests.Applied:
        """Hold all automation of the host but rollbacks."""
        return await self._change("/v1/freeze", ask)

    async def unfreeze(self, ask: requests.FreezeAsk) -> requests.Applied:
        """Let it go on."""
        return await self._change("/v1/unfreeze", ask)

    async def drill(self, experiment: str, ask: Drill) -> DrillRecord:
        """Rehearse a rollback; takes as long as the control's replicas take for a token."""
        return await self._call("POST", f"/v1/experiments/{experiment}/drill", ask, DrillRecord, CHANGE_DEADLINE_S)

    async def _change(self, path: str, ask: msgspec.Struct) -> requests.Applied:
        return await self._call("POST", path, ask, requests.Applied)

    async def _call(
        self, method: str, path: str, body: msgspec.Struct | None, kind: type[T], deadline_s: float = 0.0
    ) -> T:
        """Every typed call goes through here; `deadline_s` is for what takes its time."""
        content = None if body is None else msgspec.json.encode(body)
        usual = CHANGE_DEADLINE_S if path.startswith("/v1/engines") else DEADLINE_S
        return await self._ask(method, path, content, kind, {"content-type": "application/json"}, deadline_s or usual)

    async def _ask(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterable[bytes] | None,
        kind: type[T],
        headers: dict[str, str],
        timeout: float,
    ) -> T:
        async def send() -> httpx.Response:
            return await self._open().request(method, _path(path), content=content, headers=headers, timeout=timeout)

        try:
            response = await _twice(send)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if response.status_code != 200:
            raise _refusal(response.status_code, response.content)
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise self._unreachable(error) from None

    def _open(self) -> httpx.AsyncClient:
        """The connection; whoever asks over a link that was given up is told so like anybody whose link breaks.

        Raises:
            httpx.ConnectError: it was closed, while this was under way or before.
        """
        if self._http.is_closed:
            raise httpx.ConnectError("the connection was closed")
        return self._http

    def _unreachable(self, error: Exception) -> UnreachableError:
        text = str(error) or type(error).__name__
        return UnreachableError(
            f"The agent of {self._host} does not answer: {text}.",
            "Is `quantdeck agent run` running there, and is the socket in fleet.toml its own?",
        )


def _path(path: str) -> str:
    """With nothing in it that no URL may hold: names come from hosts, and httpx refuses control characters."""
    return quote(path, safe="/?&=%:,;+@!$'()*[]~", errors="replace")


async def _twice(send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Send, and once more where the connection broke: reads change nothing, and changes carry a request id."""
    try:
        return await send()
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        return await send()


def _refusal(status: int, body: bytes) -> RemoteError:
    try:
        info = msgspec.json.decode(body, type=ErrorInfo)
    except msgspec.MsgspecError:
        hint = "It may be older than this console and not know this: update it." if status in (404, 405) else ""
        info = ErrorInfo(code="refused", title="Refused", detail=f"The agent answered with HTTP {status}.", hint=hint)
    return RemoteError(info, status)
