"""What pictures of screens are worth: a screen that differs, or of which none is kept, fails its test."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import pictures
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import rack, van
from support.pictures import Pictures


async def test_only_the_screen_that_is_kept_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, actual = tmp_path / "kept", tmp_path / "actual"
    kept.mkdir()
    actual.mkdir()
    monkeypatch.setattr(pictures, "KEPT", kept)
    monkeypatch.setattr(pictures, "PATIENCE_S", 0.2)
    async with running(FakeLink(rack(), van())) as deck:
        with pytest.raises(AssertionError, match="is missing"):
            await Pictures(actual)(deck, "fleet")
        await Pictures(actual, update=True)(deck, "fleet")
        await Pictures(actual)(deck, "fleet")
        await deck.press("j")
        with pytest.raises(pytest.fail.Exception, match="differs from what is drawn"):
            await Pictures(actual)(deck, "fleet")
    assert [one.name for one in kept.iterdir()] == [one.name for one in actual.iterdir()] == ["fleet-80x24.svg"]
    assert (kept / "fleet-80x24.svg").read_text() != (actual / "fleet-80x24.svg").read_text()
