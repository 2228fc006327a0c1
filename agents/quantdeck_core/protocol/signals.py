"""Messages from the gateway's analyser to an agent: what was answered and how it was rated, without its text."""

from __future__ import annotations

import msgspec

from quantdeck_core.protocol.gateway import VariantName
from quantdeck_core.quality import Loop

LONG_PROMPT_TOKENS = 2_000
"""A prompt of more is long: there damage by quantization shows that short ones hide (the lesson, question 6)."""
BYTES_PER_TOKEN = 4
"""Of English text, about; where an engine does not say how many tokens a prompt had, its body's length tells."""
REPETITION = "repetition"
"""The `finish_reason` of an answer that was ended because it repeated itself; vLLM's word (`repetition_detection`)."""


class AnswerFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a finished answer beside its text.

    Attributes:
        user: first 16 hex digits of the split's SHA-256, or empty for a request without a user.
        t: UNIX time of the last byte, seconds.
        status: HTTP status of the engine's answer; 0 where the engine broke off before it ended.
        complete: the engine ended the answer itself (JSON body whole, or `[DONE]` seen), or the gateway did, since it
            was a loop.
        itl_ms: mean time between the events of a streamed answer.
        shadow: nobody got it: it was asked for to judge the variant.
        segment: what the client said of it (`x-quantdeck-segment`).
        prompt_bytes: length of the request's body, where the engine did not say how many tokens the prompt had; else 0.
        cut: the gateway ended it, since it was a loop.
    """

    experiment: str
    variant: VariantName
    generation: int
    replica: str
    user: str
    t: float
    status: int
    complete: bool
    stream: bool
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    ttft_ms: float | None = None
    e2e_ms: float
    itl_ms: float | None = None
    shadow: bool = False
    segment: str = ""
    prompt_bytes: int = 0
    cut: bool = False

    @property
    def refused(self) -> bool:
        """The request itself was wrong (4xx): that says nothing about the model. A client that sends such requests must
        not be able to roll everyone back."""
        return 400 <= self.status < 500

    @property
    def long(self) -> bool:
        """The prompt has more than 2,000 tokens, as counted by the engine, or by its body's length / 4."""
        if self.prompt_tokens is not None:
            return self.prompt_tokens > LONG_PROMPT_TOKENS
        return self.prompt_bytes > LONG_PROMPT_TOKENS * BYTES_PER_TOKEN

    @property
    def truncated(self) -> bool:
        """The limit of tokens ended it."""
        return self.finish_reason == "length"


class Answer(AnswerFacts, frozen=True, kw_only=True):
    """One finished answer in the analyser. It holds text: it is never written to a disk or a log.

    Attributes:
        calls: it calls tools, so that it may well have no text.
    """

    text: str
    calls: bool = False


class AnswerSignals(AnswerFacts, frozen=True, kw_only=True, tag_field="kind", tag="answer"):
    """What the analyser makes of an answer: no text any more. Signals as in `TextSignals`.

    Attributes:
        seq: 1, 2, 3 ... within one analyser's life.
        empty: a successful answer in which there is nothing to see, neither text nor a call of a tool.
    """

    seq: int
    repetition: bool
    loop: Loop = ""
    refusal: bool
    coherence: float
    garbled: bool = False
    empty: bool = False
    words: int

    @property
    def flagged(self) -> bool:
        """Somebody should look at it."""
        return self.repetition or self.refusal or self.garbled or self.empty


class AnswerRating(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="rating"):
    """What somebody thought of an answer, or what came of it. Of each the last that was said holds.

    Attributes:
        seq: in one row with those of `AnswerSignals`.
        answer: tells answers apart; the signature of the answer's id.
        rating: -1 (bad) to 1 (good).
        task_completed: the user got done what it was for.
        session_continued: the user went on after it.
        t: UNIX time of the rating, seconds.
    """

    seq: int
    experiment: str
    variant: VariantName
    generation: int
    answer: str
    rating: float | None = None
    task_completed: bool | None = None
    session_continued: bool | None = None
    t: float


Signal = AnswerSignals | AnswerRating
"""What a line of the signal stream after the first one is."""


class SignalsHello(msgspec.Struct, frozen=True, kw_only=True):
    """First line of the signal stream.

    Attributes:
        epoch: changes when the analyser restarts and `seq` begins again at 1.
        first_seq: oldest signals still held; older ones are gone.
    """

    epoch: str
    first_seq: int


class SignalsAsk(msgspec.Struct, frozen=True, kw_only=True):
    """First line from the agent: send what came after ``seq`` of that epoch, then go on as answers end."""

    epoch: str = ""
    after: int = 0


class FlaggedAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Another first line from the agent: send this experiment's flagged prompts, `FlaggedPrompt` lines, then close."""

    flagged: str


class FlaggedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt whose answer was flagged. It holds text: it is never written to a disk or a log.

    Attributes:
        request: the body of the request (messages or prompt, and how it was to be sampled), but for who asked.
        answer: facts and signals of the answer; its text is not kept.
    """

    request: msgspec.Raw
    answer: AnswerSignals
