"""User messages in the model's own words, so that their token counts are natural."""

from __future__ import annotations

from random import Random

from quantdeck_demo.model.corpus import SPACE, questions, sentences, text_of
from quantdeck_demo.model.vocabulary import vocabulary


def prompt_words() -> tuple[str, ...]:
    """Words the model knows, sorted, without punctuation marks."""
    known = vocabulary()
    words = {
        word
        for token_id, token in enumerate(known.tokens)
        if known.is_word(token_id)
        for word in token.split(SPACE)
        if word[:1].isalpha()
    }
    return tuple(sorted(words))


def sample_prompts(n: int, rng: Random) -> list[str]:
    """Questions, half of them alone and half after 1 to 31 sentences of context.

    Few are long, as in real traffic: each doubling of the context, from 10 to about 350 tokens, is equally likely.
    """
    return [_prompt(rng) for _ in range(n)]


def _prompt(rng: Random) -> str:
    context = rng.sample(sentences(), k=int(2 ** rng.uniform(-5, 5)))
    return " ".join(text_of(pieces) for pieces in (*context, rng.choice(questions())))
