"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's three checkpoints, made once."""
    from quantdeck_demo.model import make_models

    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder
