"""What clients think of an answer: an id that this gateway gave, and a rating. Never any text."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_gateway.answer_id import AnswerIds, AnswerOf
from quantdeck_gateway.request import RequestRefusedError

_SHAPE = 'Send {"answer": the x-quantdeck-answer of the answer, "rating": "up", "down" or a number from -1 to 1}'
_BY_WORD = {"up": 1.0, "down": -1.0}


class _Feedback(msgspec.Struct, forbid_unknown_fields=True):
    answer: str
    rating: Literal["up", "down"] | Annotated[float, Meta(ge=-1, le=1)]


_decoder = msgspec.json.Decoder(_Feedback)


def read_feedback(body: bytes, ids: AnswerIds) -> tuple[AnswerOf, float]:
    """Which answer is rated, and how: -1 to 1.

    Raises:
        RequestRefusedError: it is not that, or says more, or no such answer was given here.
    """
    try:
        feedback = _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        if "unknown field" in str(error):
            why = "Nothing but an answer and a rating is taken, so that no text of users is kept. Nothing was stored."
            raise RequestRefusedError(400, "feedback_has_more", f"{why} {_SHAPE}.") from None
        raise RequestRefusedError(400, "bad_feedback", f"This is no rating of an answer. {_SHAPE}.") from None
    answer = ids.read(feedback.answer)
    if answer is None:
        raise RequestRefusedError(404, "unknown_answer", "This gateway gave no answer with that id.")
    rating = feedback.rating
    return answer, _BY_WORD[rating] if isinstance(rating, str) else rating
