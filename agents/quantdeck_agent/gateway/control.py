"""Client of the gateway's control socket."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quantdeck_agent.gateway.http import UnixHttp
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.protocol.gateway import ConfigAck, GatewayConfig, GatewayStatus, RenewLease, UpgradeAck, UpgradeAsk

DEADLINE_S = 2.0
UPGRADE_DEADLINE_S = 15.0
"""The gateway gives its successor 10 s."""


class GatewayControl:
    """Asks and tells the gateway over its Unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._http = UnixHttp(socket)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    async def status(self) -> GatewayStatus:
        """What it serves now.

        Raises:
            UnreachableError: it did not answer.
        """
        return msgspec.json.decode(await self._send("GET", "/v1/status", b""), type=GatewayStatus)

    async def renew(self, experiments: tuple[str, ...]) -> GatewayStatus:
        """Say that these are judged now; what it serves then.

        Raises:
            UnreachableError: it did not answer.
        """
        body = msgspec.json.encode(RenewLease(experiments=experiments))
        return msgspec.json.decode(await self._send("POST", "/v1/lease", body), type=GatewayStatus)

    async def apply(self, config: GatewayConfig) -> ConfigAck:
        """Hand over a config; when this returns it is on disk there and decides about the next request.

        Raises:
            UnreachableError: it did not answer; the config may or may not hold.
            RemoteError: refused, e.g. with an older revision than its own.
        """
        return msgspec.json.decode(await self._send("PUT", "/v1/config", msgspec.json.encode(config)), type=ConfigAck)

    async def upgrade(self, python: str) -> UpgradeAck:
        """Let a gateway that is started with this Python take over, with all that holds; no request notices.

        Raises:
            UnreachableError: it did not answer.
            RemoteError: the new one did not come up; the old one goes on.
        """
        http = UnixHttp(self._socket)  # of its own: the status is asked for meanwhile
        try:
            body = msgspec.json.encode(UpgradeAsk(python=python))
            answer = await self._send("POST", "/v1/upgrade", body, http, UPGRADE_DEADLINE_S)
        finally:
            http.close()
        return msgspec.json.decode(answer, type=UpgradeAck)

    async def _send(
        self, method: str, path: str, body: bytes, http: UnixHttp | None = None, deadline_s: float = DEADLINE_S
    ) -> bytes:
        try:
            status, answer = await (http or self._http).ask(method, path, body, deadline_s)
        except OSError as error:  # TimeoutError is one
            raise UnreachableError(
                f"The gateway does not answer on its control socket ({type(error).__name__}).",
                "Its log is gateway.log in the agent's state folder.",
            ) from None
        if status != 200:
            raise RemoteError(msgspec.json.decode(answer, type=ErrorInfo), status)
        return answer
