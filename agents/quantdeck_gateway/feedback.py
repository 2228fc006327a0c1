"""What clients say of an answer: an id that this gateway gave, and a number, yes or no; never any text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from quantdeck_gateway.answer_id import AnswerIds, AnswerOf
from quantdeck_gateway.request import RequestRefusedError

_SHAPE = (
    'Send {"answer": the x-quantdeck-answer of the answer} and with it at least one of "rating": "up", "down" or a '
    'number from -1 to 1; "task_completed": true or false; "session_continued": true or false'
)
_BY_WORD = {"up": 1.0, "down": -1.0}


class Said(NamedTuple):
    """What a client says of an answer; None where it says nothing.

    Attributes:
        rating: -1 (bad) to 1 (good).
        task_completed: the user got done what it was for.
        session_continued: the user went on after it.
    """

    rating: float | None = None
    task_completed: bool | None = None
    session_continued: bool | None = None

    def names(self) -> Iterator[str]:
        """By what it is counted."""
        if self.rating is not None:
            yield "up" if self.rating > 0 else "down" if self.rating < 0 else "neutral"
        if self.task_completed is not None:
            yield "task_completed" if self.task_completed else "task_not_completed"
        if self.session_continued is not None:
            yield "session_continued" if self.session_continued else "session_ended"


class _Feedback(msgspec.Struct, forbid_unknown_fields=True):
    answer: str
    rating: Literal["up", "down"] | Annotated[float, Meta(ge=-1, le=1)] | msgspec.UnsetType = msgspec.UNSET
    task_completed: bool | msgspec.UnsetType = msgspec.UNSET
    session_continued: bool | msgspec.UnsetType = msgspec.UNSET

    def said(self) -> Said:
        rating, completed, continued = self.rating, self.task_completed, self.session_continued
        return Said(
            _BY_WORD[rating] if isinstance(rating, str) else None if rating is msgspec.UNSET else rating,
            None if completed is msgspec.UNSET else completed,
            None if continued is msgspec.UNSET else continued,
        )


_decoder = msgspec.json.Decoder(_Feedback)
_NOTHING = Said()


def read_feedback(body: bytes, ids: AnswerIds) -> tuple[AnswerOf, Said]:
    """Which answer is meant, and what is said of it.

    Raises:
        RequestRefusedError: it is not that, or says more, or no such answer was given here.
    """
    try:
        feedback = _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        if "unknown field" in str(error):
            why = "Nothing else is taken, so that no text of users is kept. Nothing was stored."
            raise RequestRefusedError(400, "feedback_has_more", f"{why} {_SHAPE}.") from None
        raise RequestRefusedError(400, "bad_feedback", f"This says nothing of an answer. {_SHAPE}.") from None
    said = feedback.said()
    if said == _NOTHING:
        raise RequestRefusedError(400, "bad_feedback", f"This says nothing of an answer. {_SHAPE}.")
    answer = ids.read(feedback.answer)
    if answer is None:
        raise RequestRefusedError(404, "unknown_answer", "This gateway gave no answer with that id.")
    return answer, said
