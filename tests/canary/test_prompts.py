"""The set: kinds, lengths, and the same cuts for ever."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.canary.builtin import builtin_prompts
from quantdeck_core.canary.prompt import CUTS, LONG_CUTS, CanaryPrompt, prefixes, set_id
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.errors import InputError
from quantdeck_core.profile.toml_text import decode_toml


def test_the_built_in_set_has_short_and_long_prompts() -> None:
    prompts = builtin_prompts()
    assert sum(not one.long for one in prompts) >= 24
    assert sum(one.long for one in prompts) >= 3
    assert len({one.id for one in prompts}) == len({one.text for one in prompts}) == len(prompts)
    # Tokens of today's vocabularies end where words and marks do: there are at least as many.
    assert all(len(re.findall(r"\w+|[^\w\s]", one.text)) > 2_000 for one in prompts if one.long)


def test_the_set_is_the_same_set_as_ever() -> None:
    """What was remembered of another set is not compared any more: change prompts knowingly."""
    assert set_id(builtin_prompts()) == "27c142707bbe3683"


def test_no_two_entries_of_a_long_prompt_are_alike() -> None:
    for prompt in builtin_prompts():
        if prompt.long:
            entries = [line.partition(". ")[2] for line in prompt.text.splitlines() if line.startswith("Entry")]
            assert len(set(entries)) == len(entries)
            assert prompt.text.count("The code of the day was") == 1


@given(st.text(min_size=1, max_size=400))
def test_any_text_is_cut_into_beginnings_of_itself(text: str) -> None:
    cut = prefixes(CanaryPrompt(id="any", text=text))
    assert cut[-1] == text
    assert 1 <= len(cut) <= CUTS
    assert all(text.startswith(one) for one in cut)
    assert [len(one) for one in cut] == sorted({len(one) for one in cut})


def test_long_prompts_are_cut_where_they_are_long() -> None:
    for prompt in builtin_prompts():
        cut = prefixes(prompt)
        assert len(cut) == LONG_CUTS if prompt.long else 4 <= len(cut) <= CUTS
        if prompt.long:
            assert min(map(len, cut)) > 0.9 * len(prompt.text)


def test_settings_from_a_file() -> None:
    text = 'prompts = ["Who rings the bell?", "Where is it?"]\nevery = "90m"\nmax_kl = 0.1\nmin_same_top = 0.9\n'
    settings = decode_toml(text, CanarySettings, "e.toml")
    assert [one.id for one in settings.prompt_set()] == ["own-1", "own-2"]
    assert (settings.every_s(), settings.max_kl, settings.min_same_top) == (5400.0, 0.1, 0.9)
    assert CanarySettings().prompt_set() == builtin_prompts()


@pytest.mark.parametrize(
    "text",
    ['every = "0h"', 'every = "1 h"', 'every = "weekly"', "max_kl = 0", "min_same_top = 75", 'prompts = [""]', "a = 1"],
)
def test_settings_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"e\.toml:1:1"):
        decode_toml(text, CanarySettings, "e.toml")


def test_settings_travel() -> None:
    settings = CanarySettings(prompts=("a b c",), every="2h")
    assert msgspec.json.decode(msgspec.json.encode(settings), type=CanarySettings) == settings
