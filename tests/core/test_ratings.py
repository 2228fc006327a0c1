"""What people thought of answers, counted as it comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.ratings import Ratings
from quantdeck_core.drift.window import ArmWindow
from quantdeck_core.protocol.signals import AnswerRating
from support.answers import observation

GIVEN = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0])))


@given(GIVEN, st.integers(1, 6))
def test_the_last_rating_of_each_of_the_last_answers_holds(given: list[tuple[str, float]], size: int) -> None:
    ratings = Ratings(size)
    expected: dict[str, float] = {}
    for one, rating in given:
        ratings.rate(one, rating)
        expected.pop(one, None)
        expected[one] = rating
        expected = dict(list(expected.items())[-size:])
        assert ratings.ups == sum(rating > 0 for rating in expected.values())
        assert ratings.downs == sum(rating < 0 for rating in expected.values())


def rating(of: str, value: float | None, generation: int = 1, **said: bool) -> AnswerRating:
    return AnswerRating(
        seq=1, experiment="e", variant="control", generation=generation, answer=of, rating=value, t=1.0, **said
    )


def test_tasks_and_sessions_are_counted_apart_from_ratings() -> None:
    window = ArmWindow(50)
    window.rate(rating("a", None, task_completed=True, session_continued=False))
    window.rate(rating("b", 1.0, task_completed=False))
    window.rate(rating("b", None, task_completed=True))
    stats = window.stats()
    assert (stats.ups, stats.downs) == (1, 0)
    assert (stats.tasks_done, stats.tasks_open) == (2, 0)
    assert (stats.sessions_on, stats.sessions_over) == (0, 1)


def test_a_window_counts_the_ratings_of_its_generation() -> None:
    window = ArmWindow(2)
    assert window.rate(rating("a", 1))
    assert window.rate(rating("b", -1))
    assert window.rate(rating("a", -1))
    assert (window.stats().ups, window.stats().downs) == (0, 2)
    window.add(observation(generation=1))
    assert (window.stats().outputs, window.stats().downs) == (1, 2)
    assert not window.rate(rating("c", 1, generation=0))
    assert window.rate(rating("d", 1, generation=2))
    assert (window.stats().outputs, window.stats().ups, window.stats().downs) == (0, 1, 0)
    window.forget()
    assert (window.stats().ups, window.stats().downs) == (0, 0)
