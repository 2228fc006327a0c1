"""The demo's models behind real engines, and an experiment that a test puts them into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from quantdeck_demo.model import make_models
from support.canary_trial import Trial
from support.served import serving

VARIANTS = ("f16", "q8_0", "q4_0", "damaged")
CONTEXT = 8192
"""Tokens: the long prompts must fit."""


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Their addresses, by variant."""
    pytest.importorskip("xllamacpp", reason="needs the engine xllamacpp")
    models = make_models(tmp_path_factory.mktemp("models"), VARIANTS)
    with ExitStack() as stack:
        ports = {name: stack.enter_context(serving(models[name], CONTEXT)) for name in VARIANTS}
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    it = Trial(tmp_path / "agent.db")
    yield it
    await it.close()
