"""A gateway in the test's own process, so that its inside can be seen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from gateway.lab.client import Connection
from quantdeck_core.protocol.gateway import ExperimentRoute, GatewayConfig
from quantdeck_gateway.answer_id import new_key
from quantdeck_gateway.limits import Deadlines
from quantdeck_gateway.serving import Serving
from quantdeck_gateway.settings import WorkerSettings


async def _no_metrics() -> str:
    return ""


@contextlib.asynccontextmanager
async def inside(
    route: ExperimentRoute, deadlines: Deadlines | None = None
) -> AsyncIterator[tuple[Serving, Connection]]:
    """A gateway that serves an experiment, and a client's connection to it."""
    settings = WorkerSettings(answer_key=new_key(), deadlines=deadlines or Deadlines())
    config = GatewayConfig(revision=1, experiments=(route,))
    serving = Serving(asyncio.get_running_loop(), config, settings, _no_metrics)
    serving.start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        await serving.door.open(listener)
        connection = Connection(*await asyncio.open_connection("127.0.0.1", listener.getsockname()[1]))
        yield serving, connection
        await connection.close()
        await serving.stop()
