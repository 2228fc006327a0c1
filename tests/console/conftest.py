"""Screens are compared with pictures under `snapshots/`, drawn at a fixed time in UTC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_textual_snapshot import normalize_svg

from quantdeck_console.screens import dialog

PICTURES = Path(__file__).parents[2] / "snapshots"


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], None]:
    """Compare an SVG with the picture of a name; `--snapshot-update` draws it anew.

    Syrupy names files after test modules and warns of anything else; these are for people to look at.
    """

    def compare(name: str, svg: str) -> None:
        kept, new = PICTURES / f"{name}.svg", normalize_svg(svg)
        if request.config.getoption("update_snapshots"):
            kept.write_text(new, encoding="utf-8")
            return
        assert kept.exists(), f"{kept} is missing: run `make snapshots` and look at it"
        if kept.read_text(encoding="utf-8") != new:
            actual = tmp_path / f"{name}.svg"
            actual.write_text(new, encoding="utf-8")
            pytest.fail(f"{kept} differs from what is drawn now, {actual}: look at both; `make snapshots` accepts it")

    return compare


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
