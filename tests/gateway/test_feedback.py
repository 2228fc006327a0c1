"""Ratings of answers: what is taken, and what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_gateway.answer_id import KEY_BYTES, AnswerIds, tag_of
from quantdeck_gateway.arm import SAID
from quantdeck_gateway.feedback import Said, read_feedback
from quantdeck_gateway.request import RequestRefusedError

IDS = AnswerIds(bytes(KEY_BYTES))
GIVEN = IDS.mint("exp", "treatment", 4)().decode()


@pytest.mark.parametrize(("rating", "value"), [("up", 1), ("down", -1), (0.5, 0.5), (0, 0), (-1, -1), (1.0, 1)])
def test_a_rating(rating: object, value: float) -> None:
    answer, read = read_feedback(json.dumps({"answer": GIVEN, "rating": rating}).encode(), IDS)
    assert (answer[:3], read) == ((tag_of("exp"), "treatment", 4), Said(rating=value))


@pytest.mark.parametrize(
    ("sent", "said", "names"),
    [
        ({"task_completed": True}, Said(task_completed=True), ["task_completed"]),
        ({"session_continued": False}, Said(session_continued=False), ["session_ended"]),
        (
            {"rating": 0, "task_completed": False, "session_continued": True},
            Said(0.0, False, True),
            ["neutral", "task_not_completed", "session_continued"],
        ),
    ],
)
def test_what_came_of_it(sent: dict[str, object], said: Said, names: list[str]) -> None:
    _, read = read_feedback(json.dumps({"answer": GIVEN, **sent}).encode(), IDS)
    assert read == said
    assert [*read.names()] == names
    assert set(names) <= set(SAID)


@pytest.mark.parametrize("sent", [{}, {"task_completed": None}, {"session_continued": "yes"}, {"task_completed": 1}])
def test_what_says_nothing_is_refused(sent: dict[str, object]) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        read_feedback(json.dumps({"answer": GIVEN, **sent}).encode(), IDS)
    assert (refused.value.status, refused.value.code) == (400, "bad_feedback")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"comment": "the bread was stale"}, 400, "feedback_has_more"),
        ({"rating": "meh"}, 400, "bad_feedback"),
        ({"rating": 1.5}, 400, "bad_feedback"),
        ({"rating": True}, 400, "bad_feedback"),
        ({"rating": None}, 400, "bad_feedback"),
        ({"rating": ["up"]}, 400, "bad_feedback"),
        ({"answer": 7}, 400, "bad_feedback"),
        ({"answer": ""}, 404, "unknown_answer"),
        ({"answer": AnswerIds(b"x" * KEY_BYTES).mint("exp", "control", 4)().decode()}, 404, "unknown_answer"),
        ({"answer": GIVEN.replace("t4.", "c4.")}, 404, "unknown_answer"),
    ],
)
def test_what_is_refused_is_not_repeated(more: dict[str, object], status: int, code: str) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        read_feedback(json.dumps({"answer": GIVEN, "rating": "up"} | more).encode(), IDS)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert "bread" not in refused.value.message


@given(st.binary(max_size=60))
def test_bytes_that_are_no_feedback(body: bytes) -> None:
    with pytest.raises(RequestRefusedError):
        read_feedback(body, IDS)
