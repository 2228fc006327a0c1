"""Client of the gateway's control socket."""

from __future__ import annotations

from pathlib import Path

import httpx
import msgspec

from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.protocol.gateway import ConfigAck, GatewayConfig, GatewayStatus

DEADLINE_S = 2.0


class GatewayControl:
    """Asks and tells the gateway over its Unix socket."""

    def __init__(self, socket: Path) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=DEADLINE_S)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def status(self) -> GatewayStatus:
        """What it serves now.

        Raises:
            UnreachableError: it did not answer.
        """
        return msgspec.json.decode(await self._send("GET", "/v1/status", b""), type=GatewayStatus)

    async def apply(self, config: GatewayConfig) -> ConfigAck:
        """Hand over a config; when this returns it is on disk there and decides about the next request.

        Raises:
            UnreachableError: it did not answer; the config may or may not hold.
            RemoteError: refused, e.g. with an older revision than its own.
        """
        return msgspec.json.decode(await self._send("PUT", "/v1/config", msgspec.json.encode(config)), type=ConfigAck)

    async def _send(self, method: str, path: str, body: bytes) -> bytes:
        try:
            response = await self._client.request(
                method, path, content=body, headers={"content-type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"The gateway does not answer on its control socket ({type(error).__name__}).",
                "Its log is gateway.log in the agent's state folder.",
            ) from None
        if response.status_code != 200:
            raise RemoteError(msgspec.json.decode(response.content, type=ErrorInfo), response.status_code)
        return response.content
