import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.window import ArmWindow
from support.answers import observation

ANSWERS = st.lists(
    st.builds(
        observation,
        repetition=st.booleans(),
        refusal=st.booleans(),
        complete=st.booleans(),
        words=st.integers(0, 500),
    ),
    max_size=120,
)


@given(ANSWERS)
def test_counts_are_those_of_the_last_answers(answers: list) -> None:
    window = ArmWindow(50)
    for one in answers:
        assert window.add(one)
    last = answers[-50:]
    good = [one for one in last if one.complete]
    stats = window.stats()
    assert (stats.outputs, stats.failures) == (len(good), len(last) - len(good))
    assert stats.repetitions == sum(one.repetition for one in good)
    assert stats.refusals == sum(one.refusal for one in good)
    if good:
        assert stats.mean_words == pytest.approx(sum(one.words for one in good) / len(good))


def test_a_new_generation_starts_with_nothing() -> None:
    window = ArmWindow(50)
    for _ in range(30):
        window.add(observation(generation=1))
    assert window.add(observation(generation=2, repetition=True))
    assert window.stats().outputs == 1
    assert window.stats().repetition_rate == 1.0


def test_late_answers_of_an_older_generation_do_not_count() -> None:
    window = ArmWindow(50)
    window.start_generation(3)
    assert not window.add(observation(generation=2, repetition=True))
    assert window.stats().outputs == 0


def test_forgetting_keeps_the_generation() -> None:
    window = ArmWindow(50)
    window.add(observation(generation=2, repetition=True))
    window.forget()
    assert window.stats().outputs == 0
    assert not window.add(observation(generation=1))
