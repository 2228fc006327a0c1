import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.text import clean


@pytest.mark.parametrize(
    ("dirty", "tidy"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]52;c;aGk=\x07", "]52;c;aGk="),
        ("a\x9b31mb", "a31mb"),
        ("a\u202eb", "ab"),
        ("Z\u00fcrich \u6771\u4eac", "Z\u00fcrich \u6771\u4eac"),
        ("\udc80", ""),
        ("a\u2028b\u2029c", "a\nb\nc"),
    ],
)
def test_control_characters_do_not_get_through(dirty: str, tidy: str) -> None:
    assert clean(dirty) == tidy


@given(st.text(st.characters(codec=None)))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    left = clean(text, one_line=True)
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in left)
    assert clean(left, one_line=True) == left
