"""The terminal ends up as if everything had been sent, and gets only what differs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from quantdeck_console.widgets.shown import Shown
from support.terminal_cells import Cells

WIDTH, HEIGHT, CUT = 24, 4, 10
STYLES = [
    None,
    Style(),
    Style(color="default", bgcolor="default"),
    Style(color="cyan", bgcolor="default"),
    Style(bold=True, color="yellow"),
    Style(dim=True, italic=True),
    Style(color="#d0d0d0", bgcolor="#121212"),
    Style(color="#5fafff", bgcolor="#121212", bold=True),
    Style(color="#313131", bgcolor="#303030"),
    Style(reverse=True, bgcolor="blue"),
]
CONSOLE = Console(color_system="truecolor", force_terminal=True)

Row = tuple[Strip, Strip]
Update = LayoutUpdate | ChopsUpdate


def strip(parts: Sequence[tuple[str, Style | None]], width: int) -> Strip:
    return Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(width)


def rows_of(*texts: str) -> st.SearchStrategy[Row]:
    parts = st.lists(st.tuples(st.sampled_from(texts), st.sampled_from(STYLES)), max_size=6)
    return st.builds(lambda one, two: (strip(one, CUT), strip(two, WIDTH - CUT)), parts, parts)


narrow = ("a", "bc", " ", "      ", "■■··", "412", "gpu-7")
rows = rows_of(*narrow, "日本", "e\u0301", "한")


def whole(screen: Sequence[Row]) -> LayoutUpdate:
    return LayoutUpdate([list(row) for row in screen], Region(0, 0, WIDTH, HEIGHT))


def some(changed: dict[int, Row]) -> ChopsUpdate:
    chops = [dict(zip((0, CUT), changed.get(y, (None, None)), strict=True)) for y in range(HEIGHT)]
    return ChopsUpdate(chops, [(y, 0, WIDTH) for y in sorted(changed)], [[CUT, WIDTH]] * HEIGHT)


screens = st.lists(rows, min_size=HEIGHT, max_size=HEIGHT).map(whole)
changes = st.dictionaries(st.integers(0, HEIGHT - 1), rows, min_size=1).map(some)


def sent(shown: Shown, update: Update) -> str:
    return shown.sequences(update, ColorSystem.TRUECOLOR)


@given(screens, st.lists(changes | screens, max_size=6))
def test_every_cell_is_as_if_all_had_been_sent(first: LayoutUpdate, updates: list[Update]) -> None:
    shown, thrifty, lavish = Shown(), Cells(WIDTH, HEIGHT), Cells(WIDTH, HEIGHT)
    for update in (first, *updates):
        thrifty.feed(sent(shown, update).encode())
        lavish.feed(update.render_segments(CONSOLE).encode())
        assert thrifty.text == lavish.text
        assert thrifty.looks == lavish.looks


@given(screens, rows_of(*narrow))
def test_what_is_shown_already_is_not_sent_again(first: LayoutUpdate, row: Row) -> None:
    shown = Shown()
    sent(shown, first)
    sent(shown, some({1: row}))
    assert sent(shown, some({1: row})) == ""


def plain(text: str) -> Row:
    return strip([(text[:CUT], None)], CUT), strip([(text[CUT:], None)], WIDTH - CUT)


def test_one_figure_costs_a_move_and_itself() -> None:
    shown = Shown()
    sent(shown, whole([plain("gpu-7     OK       412"), *[plain("")] * 3]))
    assert sent(shown, some({0: plain("gpu-7     OK       398")})) == "\x1b[1;20H398"


def test_two_figures_of_a_row_are_joined_by_a_short_move() -> None:
    shown = Shown()
    sent(shown, whole([plain("412"), *[plain("")] * 3]))
    assert sent(shown, some({0: plain("398         9")})) == "\x1b[1;1H398\x1b[9C9"
    assert sent(shown, some({0: plain("7  8")})) == "\x1b[1;1H7  8\x1b[8C "


def test_a_drawing_of_the_whole_screen_is_sent_whatever_stood_there() -> None:
    shown = Shown()
    screen = [plain("gpu-7"), plain(""), plain("gpu-8"), plain("")]
    assert sent(shown, whole(screen)) == sent(shown, whole(screen))
    assert sent(shown, whole(screen)) == "\x1b[1;1Hgpu-7\x1b[K\x1b[2;1H\x1b[K\x1b[3;1Hgpu-8\x1b[K\x1b[4;1H\x1b[K"


def test_only_the_part_of_a_style_that_differs_is_sent() -> None:
    shown = Shown()
    row = strip(
        [
            ("a", Style(color="#d0d0d0", bgcolor="#121212")),
            ("b", Style(color="#5fafff", bgcolor="#121212")),
            ("c", Style(color="#5fafff", bgcolor="#121212", bold=True)),
            ("d", Style(color="#5fafff")),
            ("e", None),
        ],
        CUT,
    )
    update = LayoutUpdate([[row]], Region(0, 0, CUT, 1))
    assert sent(shown, update) == (
        "\x1b[1;1H\x1b[38;2;208;208;208;48;2;18;18;18ma\x1b[38;2;95;175;255mb\x1b[1mc"
        "\x1b[0;38;2;95;175;255md\x1b[me\x1b[K"
    )


@pytest.mark.parametrize("name", ["日本", "שלום", "कि", "e\u0301"])
def test_text_of_which_terminals_make_other_cells_is_sent_whole_each_time(name: str) -> None:
    shown = Shown()
    row = strip([(f"{name} 412", None)], WIDTH)
    changed = strip([(f"{name} 413", None)], WIDTH)
    sent(shown, LayoutUpdate([[row]], Region(0, 0, WIDTH, 1)))
    again = sent(shown, ChopsUpdate([{0: changed}], [(0, 0, WIDTH)], [[WIDTH]]))
    assert again == f"\x1b[1;1H{changed.text}"


def test_a_row_of_another_width_is_sent_as_a_whole() -> None:
    shown = Shown()
    sent(shown, whole([plain("gpu-7")] * HEIGHT))
    wider = ChopsUpdate([{0: strip([("gpu-7", None)], 30)}], [(0, 0, 30)], [[30]])
    assert sent(shown, wider) == "\x1b[1;1Hgpu-7\x1b[K"
