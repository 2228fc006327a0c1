"""Screens are compared with pictures under `snapshots/`, drawn at a fixed time in UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantdeck_console.screens import dialog
from support.pictures import Pictures


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Pictures:
    """What the screens of this test are compared with."""
    return Pictures(tmp_path, bool(request.config.getoption("update_snapshots")))


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def short_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dialogs take keys sooner; tests of the guard itself make it long."""
    monkeypatch.setattr(dialog, "GUARD_S", 0.01)
