"""What connections leave behind: nothing that waits for the garbage collector, which seldom comes in a gateway."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest

from gateway.lab.engine import Engine
from gateway.lab.inside import inside
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, Replica
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.exchange import Exchange
from quantdeck_gateway.relay import Relay
from quantdeck_gateway.request import Request
from quantdeck_gateway.upstream import UpstreamConnection
from support.waiting import eventually

_OF_A_STREAM = (ClientConnection, UpstreamConnection, Exchange, Relay, Request)


def _alive() -> set[str]:
    return {type(one).__name__ for one in gc.get_objects() if isinstance(one, _OF_A_STREAM)}


@pytest.fixture
async def route(engines: Callable[..., Awaitable[Engine]]) -> ExperimentRoute:
    """Everybody to one engine."""
    arm = Arm(replicas=(Replica(name="r", url=(await engines("control")).url),))
    return ExperimentRoute(name="e", served_name="e", control=arm, treatment=Arm())


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "ask", [b'{"stream": true, "act": "closes"}', b'{"stream": true, "act": "reset-mid"}', b'{"act": "reset"}']
)
async def test_a_connection_that_has_ended_is_freed_at_once(route: ExperimentRoute, ask: bytes) -> None:
    async with inside(route) as (_, connection):
        await eventually(_alive, what="it has connected")
        await connection.ask("POST", "/v1/completions", ask)
        await connection.close()
        await eventually(lambda: not _alive(), what="all of it is freed")


async def test_a_connection_does_not_grow_with_its_answers(route: ExperimentRoute) -> None:
    async with inside(route) as (_, connection):
        sizes = []
        for _ in range(2):
            for _ in range(50):
                assert (await connection.ask("POST", "/v1/completions", b"{}")).status == 200
            sizes.append(_held_by_connections())
    assert sizes[0] == sizes[1]


def _held_by_connections() -> int:
    """Bytes of the lists and the like that an open connection to an engine has."""
    (connection,) = (one for one in gc.get_objects() if isinstance(one, UpstreamConnection) and not one.closed)
    return sum(sys.getsizeof(getattr(connection, name, None)) for name in UpstreamConnection.__slots__)
