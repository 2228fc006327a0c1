"""Columns that hold whatever a terminal thinks of the width of its characters.

Terminals disagree about emoji that are joined, tinted or newer than they are, about the vowel signs of Indian scripts,
and more; those that know right-to-left text may move what stands behind it. So the cursor is put where it belongs after
such text: relative to where it was, without asking the terminal anything.
"""

from __future__ import annotations

import re
from functools import cache

from rich.cells import cell_len

_AGREED = (
    " -~\u00a0-\u00ac\u00ae-\u0377\u037a-\u037f\u0384-\u038a\u038e-\u03a1\u03a3-\u0482\u048a-\u052f"  # Latin, Greek
    "\u0531-\u0556\u0559-\u058a\u0591-\u05c7\u05d0-\u05ea\u05f0-\u05f4\u060c-\u060f\u061e-\u06d3"  # Armenian to Arabic
    "\u0e01-\u0e32\u0e34-\u0e3a\u0e3f-\u0e5b\u1e00-\u1eff\u200c\u200e\u2010-\u2027\u2030-\u205e"  # Thai, signs
    "\u20a0-\u20bf\u2100-\u218b\u2190-\u22ff\u2500-\u25fc\u2800-\u28ff"  # signs, boxes, braille
    "\u3001-\u3029\u3030-\u303e\u3041-\u3096\u3099-\u30ff\u3131-\u3163\u3400-\u4dbf\u4e00-\u9fa5"  # East Asian
    "\uac00-\ud7a3\uff01-\uff9d\uffa1-\uffbe\ufffd"
)
"""What terminals draw in as many cells as `rich` counts, as a set of a regular expression."""
_RTL = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_CONTROL = "\x00-\x1f\x7f-\x9f"

_SPECIAL = re.compile(f"[^{_AGREED}{_CONTROL}]|[{_RTL}]")
_LEFT_TO_RIGHT = "\u200e"


def held(output: str) -> str:
    """Output for a terminal, with the cursor put right behind whatever could have moved it."""
    return _parts().sub(_held, output) if is_special(output) else output


@cache
def _parts() -> re.Pattern[str]:
    """What output is made of; compiled where it is needed, since few fleets need it and that takes a while."""
    return re.compile(
        r"\x1b\[[0-?]*[ -/]*[@-~]"  # escape sequences stay as they are
        r"|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)"
        r"|\x1b[ -/]*[0-~]"
        rf"|(?P<rtl>[{_RTL}]+(?:[^{_CONTROL}][{_RTL}]+)*)"
        rf"|(?P<disputed>[ -~]?[^\x00-\x9f]*[^{_AGREED}{_CONTROL}](?:[^\x00-\x9f]|(?<=\u200d)[ -~])*)"
    )


def is_special(text: str) -> bool:
    """Whether terminals could draw it in other cells than `rich` counts."""
    return not text.isascii() and bool(_SPECIAL.search(text))


def _held(found: re.Match[str]) -> str:
    text = found.group()
    if found["rtl"]:
        # Without the mark, blanks and digits of the next columns would count as part of the right-to-left text.
        return text + _LEFT_TO_RIGHT
    if not found["disputed"]:
        return text
    if not (cells := cell_len(text)):
        return ""
    return f"\x1b7{' ' * cells}\x1b8{text}{_LEFT_TO_RIGHT}\x1b8\x1b[{cells}C"
