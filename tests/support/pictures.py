"""Screens beside the pictures of them that are kept under `snapshots/`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_textual_snapshot import normalize_svg

from support.decks import Deck

KEPT = Path(__file__).parents[2] / "snapshots"

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=lambda size: f"{size[0]}x{size[1]}")

PATIENCE_S = 5.0
"""Words are on the screen before all that moved for them has its place: on a busy machine that takes a while."""
SETTLED_S = 0.5
"""A screen that has not changed for so long is drawn anew as it is."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of one test: `await picture(deck, "fleet-calm")` waits until the screen is as it is kept.

    Syrupy names files after test modules and warns of anything else; these are for people to look at.
    """

    actual: Path
    """Where a screen that differs is written."""
    update: bool = False
    """Draw them anew, as `--snapshot-update` says."""

    async def __call__(self, deck: Deck, name: str) -> None:
        """Compare the screen with the picture of this name and of its size; fails where it never becomes that."""
        size = deck.app.size
        kept = KEPT / f"{name}-{size.width}x{size.height}.svg"
        if self.update:
            kept.write_text(await settled(deck), encoding="utf-8")
            return
        assert kept.exists(), f"{kept} is missing: run `make snapshots` and look at it"
        wanted, give_up = kept.read_text(encoding="utf-8"), time.monotonic() + PATIENCE_S
        while (drawn := normalize_svg(deck.app.export_screenshot())) != wanted:
            if time.monotonic() > give_up:
                actual = self.actual / kept.name
                actual.write_text(drawn, encoding="utf-8")
                pytest.fail(f"{kept} differs from what is drawn, {actual}: look at both; `make snapshots` accepts it")
            await deck.pilot.pause(0.05)


async def settled(deck: Deck) -> str:
    """The screen, once it stays as it is."""
    drawn, since = "", time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        if (now := normalize_svg(deck.app.export_screenshot())) != drawn:
            drawn, since = now, time.monotonic()
        await deck.pilot.pause(0.05)
    return drawn
