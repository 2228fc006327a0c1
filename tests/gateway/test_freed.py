"""What connections leave behind: nothing that waits for the garbage collector, which seldom comes in a gateway."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable

import pytest

from gateway.lab.client import Connection
from gateway.lab.engine import Engine
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, GatewayConfig, Replica
from quantdeck_gateway.answer_id import new_key
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.exchange import Exchange
from quantdeck_gateway.relay import Relay
from quantdeck_gateway.request import Request
from quantdeck_gateway.serving import Serving
from quantdeck_gateway.settings import WorkerSettings
from quantdeck_gateway.upstream import UpstreamConnection
from support.waiting import eventually

_OF_A_STREAM = (ClientConnection, UpstreamConnection, Exchange, Relay, Request)


def _alive() -> set[str]:
    return {type(one).__name__ for one in gc.get_objects() if isinstance(one, _OF_A_STREAM)}


async def _no_metrics() -> str:
    return ""


@pytest.mark.parametrize(
    "ask", [b'{"stream": true, "act": "closes"}', b'{"stream": true, "act": "reset-mid"}', b'{"act": "reset"}']
)
async def test_a_connection_that_has_ended_is_freed_at_once(
    engines: Callable[..., Awaitable[Engine]], ask: bytes
) -> None:
    engine = await engines("control")
    arm = Arm(replicas=(Replica(name="r", url=engine.url),))
    route = ExperimentRoute(name="e", served_name="e", control=arm, treatment=Arm())
    settings = WorkerSettings(answer_key=new_key())
    gc.collect()
    gc.disable()
    try:
        loop = asyncio.get_running_loop()
        serving = Serving(loop, GatewayConfig(revision=1, experiments=(route,)), settings, _no_metrics)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            await serving.door.open(listener)
            connection = Connection(*await asyncio.open_connection("127.0.0.1", listener.getsockname()[1]))
            await eventually(_alive, what="it has connected")
            await connection.ask("POST", "/v1/completions", ask)
            await connection.close()
            await eventually(lambda: not _alive(), what="all of it is freed")
            await serving.stop()
    finally:
        gc.enable()
