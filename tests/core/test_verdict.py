import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.intervals import mean_interval, share_interval
from quantdeck_core.drift.thresholds import Slo, Thresholds
from quantdeck_core.drift.window import WindowStats
from support.verdicts import floor_verdict

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


def test_what_users_say_is_worth_a_look_and_rolls_nobody_back() -> None:
    control = msgspec.structs.replace(stats(), ups=90, downs=10, tasks_done=50, tasks_open=5)
    worse = msgspec.structs.replace(stats(), ups=50, downs=50, tasks_done=50, tasks_open=5)
    verdict = floor_verdict(control, worse, LIMITS)
    assert (verdict.kind, verdict.signal) == ("watch", "ratings")
    assert "bad ratings +40.0 points" in verdict.reason
    assert floor_verdict(worse, control, LIMITS).kind == "healthy"
    few = msgspec.structs.replace(stats(), downs=3)
    assert floor_verdict(control, few, LIMITS).kind == "healthy"


def test_two_equal_arms_are_healthy() -> None:
    assert floor_verdict(stats(), stats(), LIMITS).kind == "healthy"


def test_no_verdict_under_fifty_outputs_and_it_says_how_many_are_missing() -> None:
    verdict = floor_verdict(stats(), stats(outputs=49, repetitions=49), LIMITS)
    assert (verdict.kind, verdict.needed) == ("inconclusive", 1)
    assert "1 more output" in verdict.reason


@pytest.mark.parametrize(("repetitions", "kind"), [(30, "watch"), (31, "breach")])
def test_repetition_breaks_above_fifteen_percent(repetitions: int, kind: str) -> None:
    verdict = floor_verdict(stats(), stats(repetitions=repetitions), LIMITS)
    assert (verdict.kind, verdict.signal) == (kind, "repetition")


def test_repetition_is_absolute_so_it_needs_no_control() -> None:
    assert floor_verdict(stats(outputs=0), stats(repetitions=100), LIMITS).kind == "breach"


def test_nobody_is_put_back_on_a_control_that_seems_to_loop_too() -> None:
    verdict = floor_verdict(stats(outputs=12, repetitions=6), stats(repetitions=100), LIMITS)
    assert (verdict.kind, verdict.needed) == ("inconclusive", 38)


@pytest.mark.parametrize(("outputs", "loops"), [(1, 1), (5, 1), (8, 2), (40, 3)])
def test_single_loops_of_a_control_hold_nothing_up(outputs: int, loops: int) -> None:
    assert floor_verdict(stats(outputs=outputs, repetitions=loops), stats(repetitions=100), LIMITS).kind == "breach"


def test_a_control_that_loops_too_moves_nothing() -> None:
    verdict = floor_verdict(stats(repetitions=60), stats(repetitions=90), LIMITS)
    assert verdict.kind == "control-unhealthy"
    assert "both arms" in verdict.reason
    assert "upstream" in verdict.reason
    alone = floor_verdict(stats(repetitions=60), stats(), LIMITS)
    assert (alone.kind, "itself" in alone.reason) == ("control-unhealthy", True)


def test_a_control_that_fails_more_than_was_promised_is_unhealthy() -> None:
    limits = Thresholds(slo=Slo(error_rate=0.01))
    assert floor_verdict(stats(failures=60), stats(), limits).signal == "failures"
    assert floor_verdict(stats(failures=60), stats(), LIMITS).kind == "healthy"


@pytest.mark.parametrize(("more", "kind"), [(100, "healthy"), (101, "watch"), (200, "watch"), (201, "breach")])
def test_refusals_are_held_against_the_control(more: int, kind: str) -> None:
    assert floor_verdict(stats(2000, refusals=100), stats(2000, refusals=100 + more), LIMITS).kind == kind


def test_what_chance_explains_is_no_breach() -> None:
    # Ten points more refusals on 50 answers each: once in thirty looks where both refuse a tenth.
    assert floor_verdict(stats(50, refusals=5), stats(50, refusals=11), LIMITS).kind == "healthy"
    assert floor_verdict(stats(50), stats(50, repetitions=8), LIMITS).kind == "healthy"
    assert floor_verdict(stats(50), stats(50, repetitions=25), LIMITS).kind == "breach"


@pytest.mark.parametrize(
    ("words", "kind"), [(50, "healthy"), (36, "healthy"), (34, "watch"), (31, "watch"), (29, "breach"), (81, "breach")]
)
def test_length_is_two_sided(words: float, kind: str) -> None:
    assert floor_verdict(stats(), stats(words=words), LIMITS).kind == kind


def test_relative_signals_wait_for_the_control() -> None:
    verdict = floor_verdict(stats(outputs=10), stats(refusals=100), LIMITS)
    assert (verdict.kind, verdict.needed) == ("inconclusive", 40)


def test_failed_answers_are_a_breach() -> None:
    verdict = floor_verdict(stats(), stats(outputs=40, failures=20), LIMITS)
    assert (verdict.kind, verdict.signal) == ("breach", "failures")


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_more_loops_never_make_a_verdict_better(outputs: int, one: int, other: int) -> None:
    fewer, more = sorted((min(one, outputs), min(other, outputs)))
    rank = {"inconclusive": 0, "healthy": 0, "watch": 1, "breach": 2}
    worse = floor_verdict(stats(), stats(outputs, repetitions=more), LIMITS)
    better = floor_verdict(stats(), stats(outputs, repetitions=fewer), LIMITS)
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
