"""Real engines with a gateway before each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.engines import ENGINES, MODEL, START_S, Served
from gateway.conftest import engines, experiment, free_port, gateway
from gateway.lab.process import Gateway

__all__ = ["engines", "experiment", "free_port", "gateway"]


@pytest.fixture(scope="session", params=ENGINES)
def starting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, demo_models: Path
) -> Iterator[Served]:
    """One engine after the other: this machine may have two cores."""
    served = Served(request.param, tmp_path_factory.mktemp(request.param), demo_models / "demo-f16.gguf")
    yield served
    served.running.end()


@pytest.fixture
async def engine(starting: Served) -> Served:
    """The engine once it answers."""
    await starting.running.until("/v1/models", START_S)
    return starting


@pytest.fixture(scope="session")
def before(starting: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before it, used alone."""
    alone = ("--port", "0", "--control", starting.url, "--experiment", "real", "--served-name", MODEL)
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), argv=alone)
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text(), gateway.log.read_text()
