"""How tones look: readable, apart from each other without colour, and nothing sent that was not asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from quantdeck_console.model.text import Tone
from quantdeck_console.terminal import COLOURS, Display
from quantdeck_console.widgets.filters import Harmless, OnlyAscii, WithoutColour, filters_of
from quantdeck_console.widgets.tones import ANSI, ANSI_CONTRAST, CONTRAST, THEMES, TRUECOLOR, theme_of, tones_of
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import experiment, gpu_host, rack, rolled_back, van
from support.pictures import Pictures

BLACK = Color(0, 0, 0)


@pytest.mark.parametrize("tones", [TRUECOLOR, ANSI, CONTRAST, ANSI_CONTRAST])
def test_every_tone_has_a_look(tones: Mapping[str, Style]) -> None:
    assert set(tones) == {*get_args(Tone), "cursor"}


def contrast(style: Style, background: str, foreground: str) -> float:
    """Of text in a style; WCAG 2.2: contrast ratio."""
    text, ground = style.color.name if style.color else foreground, style.bgcolor.name if style.bgcolor else background
    high, low = sorted((luminance(Color.parse(one)) for one in (text, ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: Color) -> float:
    """Of a colour, relative."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize(
    ("tones", "grounds", "foreground", "least"),
    [
        (TRUECOLOR, ("#121212", "#1c1c1c", "#303030"), "#d0d0d0", 3.8),
        (TRUECOLOR, ("#121212", "#1c1c1c"), "#d0d0d0", 4.5),
        (CONTRAST, ("#000000", "#303030"), "#ffffff", 7.0),
    ],
)
def test_everything_can_be_read(
    tones: Mapping[str, Style], grounds: tuple[str, ...], foreground: str, least: float
) -> None:
    for ground in grounds:
        low = {name: round(contrast(style, ground, foreground), 2) for name, style in tones.items()}
        assert min(low.values()) >= least, (ground, low)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("high_contrast", [False, True])
def test_what_matters_is_told_without_colours_and_without_being_dim(colour: str, high_contrast: bool) -> None:
    display = Display(colour=colour, high_contrast=high_contrast)  # type: ignore[arg-type]
    tones = tones_of(display)
    assert theme_of(display) in THEMES
    for name in ("warn", "fail"):
        assert tones[name].bold, name
    assert tones["stale"].italic
    assert not tones["fail"].dim
    if high_contrast:
        assert not any(style.dim for style in tones.values())


def test_filters_are_those_that_were_asked_for() -> None:
    assert [type(one) for one in filters_of(Display())] == [Harmless]
    assert [type(one) for one in filters_of(Display(colour="none", ascii=True))] == [Harmless, WithoutColour, OnlyAscii]


def test_clean_text_passes_as_the_same_object() -> None:
    segments = [Segment("plain", Style(bold=True))]
    assert Harmless().apply(segments, BLACK) is segments
    assert Harmless().apply([Segment("a\x1b[2Jb\x9b")], BLACK) == [Segment("a[2Jb")]


def test_without_colour_everything_else_stays() -> None:
    style = Style(color="red", bgcolor="#123456", bold=True, reverse=True, underline=True)
    [segment] = WithoutColour().apply([Segment("x", style)], BLACK)
    assert segment.style == Style(bold=True, reverse=True, underline=True)
    assert WithoutColour().apply([Segment("x")], BLACK) == [Segment("x")]


@pytest.mark.parametrize(
    ("name", "display"),
    [
        ("high-contrast", Display(high_contrast=True, animations=False)),
        ("16-colours", Display(colour="16", animations=False)),
        ("no-colour", Display(colour="none", animations=False)),
        ("ascii", Display(ascii=True, animations=False)),
    ],
)
async def test_pictures(picture: Pictures, name: str, display: Display) -> None:
    link = FakeLink(rack(rolled_back()), gpu_host(), van(name="漢字-7"))
    async with running(link, display=display) as deck:
        await picture(deck, f"display-{name}-fleet")
    async with running(FakeLink(rack(experiment()), van()), display=display) as deck:
        await deck.press("w")
        await deck.dialog("weight")
        await picture(deck, f"display-{name}-dialog")
