"""The demo models, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_demo.model import VARIANTS, make_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_models(tmp_path_factory.mktemp("models"), (*VARIANTS, "q4_0"))
