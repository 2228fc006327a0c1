"""HTTP through an SSH connection: each HTTP connection is a channel to the agent's Unix socket on the other side."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncssh
import httpcore
import httpx

KEEPALIVE_S = 30.0
"""An idle channel is kept so long; the agent keeps it longer, so it never closes one under a request."""
MAX_CHANNELS = 100
"""Each log that is followed has one of its own, and a host may have dozens."""


class _Channel(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except (OSError, asyncssh.Error) as error:
            raise httpcore.ReadError(str(error)) from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._writer.write(buffer)
            async with asyncio.timeout(timeout):
                await self._writer.drain()
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except (OSError, asyncssh.Error) as error:
            raise httpcore.WriteError(str(error)) from None

    async def aclose(self) -> None:
        self._writer.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("the channel is encrypted by SSH already")

    def get_extra_info(self, info: str) -> Any:
        return None


class _Channels(httpcore.AsyncNetworkBackend):
    """Opens a channel where httpcore would open a socket."""

    def __init__(self, connection: asyncssh.SSHClientConnection, socket: str) -> None:
        self._connection, self._socket = connection, socket

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await self._connection.open_unix_connection(self._socket)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        except (OSError, asyncssh.Error) as error:
            raise httpcore.ConnectError(str(error)) from None
        return _Channel(reader, writer)


class SshTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one SSH connection."""

    def __init__(self, connection: asyncssh.SSHClientConnection, socket: str) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=_Channels(connection, socket),
            max_connections=MAX_CHANNELS,
            max_keepalive_connections=4,
            keepalive_expiry=KEEPALIVE_S,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request through a channel."""
        url = request.url
        assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101 - an AsyncClient makes no other
        with _httpx_errors():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the channels."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """httpcore's errors as the httpx errors that callers know."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.TimeoutException(str(error) or type(error).__name__) from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise httpx.TransportError(str(error) or type(error).__name__) from None
