"""One gateway process for all tests that do not end it, and engines for each."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from gateway.lab.engine import Engine
from gateway.lab.process import Experiment, Gateway

_names = (f"exp-{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests that do not end it; each serves experiments of its own."""
    gateway = Gateway(tmp_path_factory.mktemp("gw"), "--probe-seconds", "0")  # tests count what an engine saw
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text(), gateway.log.read_text()


@pytest.fixture
async def engines() -> AsyncIterator[Callable[..., Awaitable[Engine]]]:
    """Starts engines and stops them."""
    started: list[Engine] = []

    async def start(arm: str, port: int = 0, **more: Any) -> Engine:
        engine = Engine(arm, port, **more)
        await engine.start()
        started.append(engine)
        return engine

    yield start
    for engine in started:
        await engine.stop()


@pytest.fixture
async def experiment(engines: Callable[..., Awaitable[Engine]]) -> Experiment:
    """A control and a treatment."""
    return Experiment(next(_names), await engines("control"), await engines("treatment"))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
