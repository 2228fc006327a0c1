"""Real engines with a gateway before each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.engines import ENGINES, MODEL, Served
from gateway.conftest import engines, experiment, free_port, gateway
from gateway.lab.process import Gateway

__all__ = ["engines", "experiment", "free_port", "gateway"]


@pytest.fixture(scope="session", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, demo_models: Path
) -> Iterator[Served]:
    """One engine after the other, ready: this machine may have two cores."""
    served = Served(request.param, tmp_path_factory.mktemp(request.param), demo_models / "demo-f16.gguf")
    try:
        served.wait()
        yield served
    finally:
        served.running.end()


@pytest.fixture(scope="session")
def before(engine: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway before it, used alone."""
    alone = ("--port", "0", "--control", engine.url, "--experiment", "real", "--served-name", MODEL)
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), argv=alone)
    yield gateway
    assert gateway.end() == 0
    assert "Traceback" not in gateway.log.read_text(), gateway.log.read_text()
