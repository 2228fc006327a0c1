"""Prompts in the model's own words."""

from __future__ import annotations

import re
from random import Random

from quantdeck_demo.model import prompt_words, sample_prompts
from quantdeck_demo.model.vocabulary import OPENERS


def test_words_are_plain_sorted_and_distinct() -> None:
    words = prompt_words()
    assert list(words) == sorted(set(words))
    assert len(words) > 300
    assert all(re.fullmatch(r"[A-Za-z]+", word) for word in words)


def test_prompts_use_known_words_only() -> None:
    known = set(prompt_words())
    used = {word for prompt in sample_prompts(300, Random(1)) for word in re.findall(r"[^\s.,?]+", prompt)}
    assert used <= known
    assert "_" not in "".join(sample_prompts(300, Random(1)))


def test_the_same_seed_gives_the_same_prompts() -> None:
    assert sample_prompts(50, Random(7)) == sample_prompts(50, Random(7))
    assert sample_prompts(50, Random(7)) != sample_prompts(50, Random(8))
    assert sample_prompts(0, Random(7)) == []


def test_lengths_vary_and_half_of_the_prompts_are_short() -> None:
    lengths = sorted(len(prompt.split()) for prompt in sample_prompts(1000, Random(2)))
    assert lengths[400] < 20
    assert lengths[-1] > 150
    assert any(30 < length < 100 for length in lengths)


def test_prompts_use_every_way_to_begin_an_answer() -> None:
    assert {len(prompt) % len(OPENERS) for prompt in sample_prompts(200, Random(3))} == set(range(len(OPENERS)))
