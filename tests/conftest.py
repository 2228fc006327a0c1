"""Fixtures for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("quantdeck", deadline=None)
settings.load_profile("quantdeck")
# A shell that starts us in the background ignores interrupts, and every program that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

collect_ignore = ["clients", "engines", "matrix"]
"""Real engines are slow: `make engines`, `make test-engines` and `make test-gateway` name their folders."""


@pytest.fixture(scope="session", autouse=True)
def own_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes what was measured on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTDECK_LEDGER", str(tmp_path_factory.mktemp("ledger") / "measurements.sqlite"))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_pending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test leaves rollbacks pending for whoever works on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
        yield


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's three checkpoints, made once."""
    from quantdeck_demo.model import make_models

    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder
