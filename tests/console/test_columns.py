"""Columns hold on every terminal: one that counts cells in its own way, and tmux."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from quantdeck_console.model.text import fit, left
from quantdeck_console.widgets.columns import held
from quantdeck_console.widgets.filters import to_ascii
from quantdeck_core.text import clean
from support.ptys import environment
from support.tmux import TMUX, WHY_NOT, terminal
from support.waiting import eventually

WORDS = {
    "chinese": "漢字テスト",
    "korean": "한글",
    "jamo": "\u1112\u1161\u11ab",
    "emoji": "🚀",
    "joined": "👨‍👩‍👧",
    "tinted": "👍🏽",
    "flag": "🇩🇪",
    "heart": "❤️",
    "keycap": "1️⃣",
    "accents": "e\u0301a\u0301\u0302",
    "hindi": "नमस्ते कि",
    "tamil": "தமிழ்",
    "burmese": "မြန်မာ",
    "thai": "สวัสดี",
    "lao": "ສະບາຍດີ",
    "arabic": "مرحبا",
    "hebrew": "שלום 12",
    "new": "\U0001fae8",
    "unassigned": "\u0378",
    "copyright": "©️",
    "watch": "⌚\ufe0e",
    "private": "\ue0a0",
    "boxes": "■·▌─",
    "wide": "\uff21\uff22",
    "greek": "Ωμέγα",
    "soft": "a\u00adb",
    "joiner": "a\u200db",
    "tags": "🏴\U000e0067\U000e007f",
    "mixed": "x🚀שלום नि|",
}
TOKEN = re.compile(r"\x1b(?P<cursor>[78])|\x1b\[(?P<on>\d+)C|(?P<char>[^\x1b])")


class OwnOpinion:
    """A terminal that thinks otherwise about the width of what is not agreed on; it moves a cursor, no more."""

    def __init__(self, opinion: int) -> None:
        self.column = self._saved = 0
        self._opinion = opinion

    def write(self, output: str) -> None:
        for token in TOKEN.finditer(output):
            if token["cursor"] == "7":
                self._saved = self.column
            elif token["cursor"] == "8":
                self.column = self._saved
            elif token["on"]:
                self.column += int(token["on"])
            else:
                self.column += 1 if token["char"].isascii() else self._opinion


@pytest.mark.parametrize("opinion", [0, 1, 2, 3])
@pytest.mark.parametrize("text", [WORDS[name] for name in ("joined", "hindi", "flag", "keycap", "new", "soft", "tags")])
def test_what_terminals_disagree_about_moves_nothing(text: str, opinion: int) -> None:
    one = OwnOpinion(opinion)
    one.write(held(f"ab {text}"))
    assert one.column == cell_len(f"ab {text}")


def test_what_all_agree_about_costs_nothing() -> None:
    text = "\x1b[1mgpu-1 ■■■····· ▁▃█ naïve Ωμέγα Привет 漢字 かな 한글 ─── ≤\x1b[0m\x1b[2;1H"
    assert held(text) is text


def test_escape_sequences_stay_as_they_are() -> None:
    text = "\x1b[1m🚀\x1b[0m\x1b]2;title 🚀\x07\x1b[3;4H1️⃣"
    assert held(text) == (
        "\x1b[1m\x1b7  \x1b8🚀\u200e\x1b8\x1b[2C\x1b[0m\x1b]2;title 🚀\x07\x1b[3;4H\x1b7  \x1b81️⃣\u200e\x1b8\x1b[2C"
    )


def test_right_to_left_text_ends_where_it_ends() -> None:
    assert held("שלום עולם  12 ב") == "שלום עולם\u200e  12 ב\u200e"


def test_nothing_is_agreed_on_that_is_not_there_yet_or_has_no_width_of_its_own() -> None:
    agreed = [
        chr(code) for code in range(0xA0, 0x30000) if held(f"a{chr(code)}") in (f"a{chr(code)}", f"a{chr(code)}\u200e")
    ]
    odd = {char for char in agreed if unicodedata.category(char) in ("Cn", "Co", "Cs", "Mc", "Cf", "Zl", "Zp")}
    assert odd == {"\u200c", "\u200e"}
    assert len(agreed) > 40_000


@given(st.text(st.characters(codec="utf-8")))
def test_all_of_the_text_is_still_there(text: str) -> None:
    text = clean(text, one_line=True)
    sent = re.sub(r"\x1b7 *\x1b8|\x1b8\x1b\[\d+C", "", held(text)).replace("\u200e", "")
    assert sent == text.replace("\u200e", "") or cell_len(text) == cell_len(sent)


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.integers(2, 30))
def test_a_column_is_as_wide_as_it_should_be(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) <= width
    assert sum(cell_len(part.text) for part in left(text, width)) == width


@given(st.text(st.characters(codec="utf-8")))
def test_ascii_takes_as_many_cells(text: str) -> None:
    text = clean(text, one_line=True)
    assert to_ascii(text).isascii()
    assert len(to_ascii(text)) == cell_len(text)


def test_ascii_keeps_what_can_be_read() -> None:
    assert to_ascii("Zürich naïve é 漢 ■·") == "Zurich naive e ?? ??"


PROBE = """
import json, os, re, sys, termios, tty
from quantdeck_console.widgets.columns import held
words, columns = json.loads(sys.argv[1]), {}
before = termios.tcgetattr(0)
tty.setraw(0)
try:
    for name, text in words.items():
        os.write(1, ("\\r\\x1b[2K" + held(text) + "\\x1b[6n").encode())
        answer = b""
        while not answer.endswith(b"R"):
            answer += os.read(0, 1)
        columns[name] = int(re.search(rb";(\\d+)R", answer)[1]) - 1
finally:
    termios.tcsetattr(0, termios.TCSANOW, before)
with open(sys.argv[2] + ".new", "w") as file:
    json.dump(columns, file)
os.rename(sys.argv[2] + ".new", sys.argv[2])
"""


@pytest.mark.skipif(TMUX is None, reason=WHY_NOT)
@pytest.mark.parametrize("term", ["screen-256color", "tmux-256color"])
async def test_they_hold_in_tmux(tmp_path: Path, term: str) -> None:
    probe, result = tmp_path / "probe.py", tmp_path / "columns"
    probe.write_text(PROBE)
    async with terminal(tmp_path, environment()) as tmux:
        tmux.command("set-option", "-g", "default-terminal", term)
        run = [sys.executable, str(probe), json.dumps(WORDS), str(result)]
        tmux.command("new-window", "env", *(f"{key}={os.environ[key]}" for key in ("PATH",)), *run)
        await eventually(result.exists)
    assert json.loads(result.read_text()) == {name: cell_len(text) for name, text in WORDS.items()}
