"""Which number each piece of text has, and how a conversation becomes pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from quantdeck_demo.model.corpus import STOP_AND_GO_ON, questions, sentences

SIZE = 512
"""Tokens, and the width of the model: every token has a dimension of its own."""
MAX_WORDS = 480

UNKNOWN, BEGIN, END, PAD = "<unk>", "<s>", "</s>", "<pad>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
OPENERS = tuple(f"<|t{number}|>" for number in range(8))
"""The last token of a prompt, by the length of its last message: it alone decides how an answer begins."""
SPECIALS = (UNKNOWN, BEGIN, END, PAD, *ROLES, *OPENERS)

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "<|t{{ messages[-1]['content'] | length % " + str(len(OPENERS)) + " }}|>"
)


@dataclass(frozen=True)
class Vocabulary:
    """All tokens in the order of their ids: specials, words, then padding up to `SIZE`.

    Attributes:
        tokens: distinct texts, `SIZE` of them.
        words: how many are pieces of text.
        ids: token -> id.
    """

    tokens: tuple[str, ...]
    words: int
    ids: Mapping[str, int]

    @property
    def padding(self) -> slice:
        """Ids that no text ever uses."""
        return slice(len(SPECIALS) + self.words, SIZE)

    def is_word(self, token_id: int) -> bool:
        return len(SPECIALS) <= token_id < len(SPECIALS) + self.words


@cache
def vocabulary() -> Vocabulary:
    """The demo model's vocabulary.

    Raises:
        ValueError: the texts have more than `MAX_WORDS` distinct pieces.
    """
    # A dict keeps the order of first appearance, so ids do not depend on hash seeds.
    words = list(dict.fromkeys([STOP_AND_GO_ON, *(piece for text in (*sentences(), *questions()) for piece in text)]))
    if len(words) > MAX_WORDS:
        raise ValueError(f"the texts have {len(words)} distinct pieces, at most {MAX_WORDS} fit")
    padding = [f"<pad{number}>" for number in range(SIZE - len(SPECIALS) - len(words))]
    tokens = (*SPECIALS, *words, *padding)
    return Vocabulary(tokens, len(words), MappingProxyType({token: place for place, token in enumerate(tokens)}))
