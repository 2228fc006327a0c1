import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.intervals import mean_interval, share_interval
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.verdict import judge
from quantdeck_core.drift.window import WindowStats

LIMITS = Thresholds()


def stats(
    outputs: int = 200, *, repetitions: int = 0, refusals: int = 0, words: float = 50.0, failures: int = 0
) -> WindowStats:
    return WindowStats(
        outputs=outputs,
        failures=failures,
        repetitions=repetitions,
        refusals=refusals,
        mean_words=words if outputs else None,
        sd_words=10.0 if outputs else None,
    )


def test_two_equal_arms_are_healthy() -> None:
    assert judge(stats(), stats(), LIMITS).kind == "healthy"


def test_no_verdict_under_fifty_outputs_and_it_says_how_many_are_missing() -> None:
    verdict = judge(stats(), stats(outputs=49, repetitions=49), LIMITS)
    assert (verdict.kind, verdict.needed) == ("inconclusive", 1)
    assert "1 more output" in verdict.reason


@pytest.mark.parametrize(("repetitions", "kind"), [(30, "watch"), (31, "breach")])
def test_repetition_breaks_above_fifteen_percent(repetitions: int, kind: str) -> None:
    verdict = judge(stats(), stats(repetitions=repetitions), LIMITS)
    assert (verdict.kind, verdict.signal) == (kind, "repetition")


def test_repetition_is_absolute_so_it_needs_no_control() -> None:
    assert judge(stats(outputs=0), stats(repetitions=100), LIMITS).kind == "breach"


def test_a_control_that_loops_too_moves_nothing() -> None:
    verdict = judge(stats(repetitions=60), stats(repetitions=90), LIMITS)
    assert verdict.kind == "control-unhealthy"
    assert "upstream" in verdict.reason


@pytest.mark.parametrize(("refusals", "kind"), [(10, "healthy"), (11, "watch"), (20, "watch"), (21, "breach")])
def test_refusals_are_held_against_the_control(refusals: int, kind: str) -> None:
    assert judge(stats(refusals=10), stats(refusals=10 + refusals), LIMITS).kind == kind


@pytest.mark.parametrize(
    ("words", "kind"), [(50, "healthy"), (36, "healthy"), (34, "watch"), (31, "watch"), (29, "breach"), (81, "breach")]
)
def test_length_is_two_sided(words: float, kind: str) -> None:
    assert judge(stats(), stats(words=words), LIMITS).kind == kind


def test_relative_signals_wait_for_the_control() -> None:
    verdict = judge(stats(outputs=10), stats(refusals=100), LIMITS)
    assert (verdict.kind, verdict.needed) == ("inconclusive", 40)


def test_failed_answers_are_a_breach() -> None:
    verdict = judge(stats(), stats(outputs=40, failures=20), LIMITS)
    assert (verdict.kind, verdict.signal) == ("breach", "failures")


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_more_loops_never_make_a_verdict_better(outputs: int, one: int, other: int) -> None:
    fewer, more = sorted((min(one, outputs), min(other, outputs)))
    rank = {"inconclusive": 0, "healthy": 0, "watch": 1, "breach": 2}
    worse = judge(stats(), stats(outputs, repetitions=more), LIMITS)
    better = judge(stats(), stats(outputs, repetitions=fewer), LIMITS)
    assert rank[worse.kind] >= rank[better.kind]


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_an_interval_holds_its_share(count: int, total: int) -> None:
    count = min(count, total)
    low, high = share_interval(count, total)
    assert 0.0 <= low <= count / total + 1e-9
    assert count / total - 1e-9 <= high <= 1.0


def test_intervals_without_data_say_nothing() -> None:
    assert share_interval(0, 0) == (0.0, 1.0)
    assert mean_interval(5.0, 1.0, 1) == (float("-inf"), float("inf"))


def test_wilson_matches_a_published_value() -> None:
    # Brown, Cai, DasGupta (2001): for 0 of 10 at 95 % the upper bound is about 0.2775.
    assert share_interval(0, 10)[1] == pytest.approx(0.2775, abs=0.0005)
