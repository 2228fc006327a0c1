"""GET /metrics, on the agent's sockets and, where it is asked for, on a TCP port for Prometheus alone."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quantdeck_agent.ports import split_address
from quantdeck_agent.telemetry.exposition import CONTENT_TYPE
from quantdeck_core.errors import InputError


class MetricsApi:
    """Handler for viewers; `page` makes the text."""

    def __init__(self, page: Callable[[], str]) -> None:
        self._page = page

    def routes(self) -> list[Route]:
        """Its path."""
        return [Route("/metrics", self.get)]

    async def get(self, _request: Request) -> Response:
        """GET /metrics."""
        return Response(self._page(), headers={"content-type": CONTENT_TYPE})


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon decides when to end."""

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


class MetricsPort:
    """A listening port with that one path. No key and no TLS: it tells numbers and names, and changes nothing."""

    def __init__(self, address: str) -> None:
        """Take the port.

        Args:
            address: `HOST:PORT`.

        Raises:
            InputError: it is no address, or it is taken.
        """
        host, port = split_address(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind((host.strip("[]"), port))
        except OSError as error:
            self._listener.close()
            raise InputError(
                f"Cannot serve metrics on {address}: {error.strerror}.", "Choose another --metrics-listen HOST:PORT."
            ) from None
        self._listener.listen(16)

    @property
    def port(self) -> int:
        """The port (useful where 0 was asked for)."""
        return int(self._listener.getsockname()[1])

    async def serve(self, api: MetricsApi) -> None:
        """Answer until cancelled."""
        config = uvicorn.Config(
            Starlette(routes=api.routes()),
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",
            ws="none",
            limit_concurrency=32,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        await _Server(config).serve(sockets=[self._listener])

    def close(self) -> None:
        """Give the port free."""
        self._listener.close()
