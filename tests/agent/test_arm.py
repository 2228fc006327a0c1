from quantdeck_agent.experiments.arm import TREND_BUCKETS, ArmTracker
from quantdeck_core.drift.judge import Judge
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.percentile import percentile
from quantdeck_core.protocol.experiment import TREND_BUCKET_S, ArmSummary
from support.answers import answer


def tracker() -> ArmTracker:
    return ArmTracker(Judge(Thresholds(user_limit=0)), "treatment")


def summary(arm: ArmTracker, now: float) -> ArmSummary:
    return arm.summary(now=now, profile="p", engines=("e.1",), ready=True, in_flight=0)


def test_an_arm_counts_users_answers_and_failures() -> None:
    arm = tracker()
    for user in ("a", "b", "a", ""):
        arm.add(answer(user=user))
    arm.add(answer(user="c", complete=False, status=0))
    seen = summary(arm, 1000.0)
    assert (seen.users, seen.answers, seen.failures) == (3, 5, 1)
    assert seen.window.outputs == 4


def test_a_client_that_sends_bad_requests_says_nothing_about_the_model() -> None:
    arm = tracker()
    arm.add(answer())
    for _ in range(60):
        assert not arm.add(answer(complete=False, status=400, words=0, user="d"))
    assert arm.add(answer(complete=False, status=500))
    seen = summary(arm, 1000.0)
    assert (seen.answers, seen.failures) == (62, 1)
    assert (seen.window.outputs, seen.window.failures) == (1, 1)


def test_a_shadow_is_judged_and_is_nobodys_answer() -> None:
    arm = tracker()
    assert arm.add(answer(user="u", shadow=True, repetition=True))
    shown = summary(arm, 0.0)
    assert (shown.users, shown.answers, shown.failures) == (0, 0, 0)
    assert (shown.window.outputs, shown.window.repetitions) == (1, 1)


def test_speed_and_first_token_come_from_the_window() -> None:
    arm = tracker()
    for number in range(1, 101):
        arm.add(answer(ttft_ms=float(number), e2e_ms=float(number) + 500.0, completion_tokens=50))
    seen = summary(arm, 1000.0)
    assert (seen.ttft_p50_ms, seen.ttft_p95_ms) == (50.0, 95.0)
    assert seen.tokens_per_s == 100.0


def test_without_token_counts_or_streams_nothing_is_made_up() -> None:
    arm = tracker()
    arm.add(answer(stream=False, completion_tokens=None))
    seen = summary(arm, 1000.0)
    assert (seen.ttft_p50_ms, seen.tokens_per_s) == (None, None)


def test_the_trend_has_gaps_where_nobody_answered() -> None:
    arm = tracker()
    arm.add(answer(t=0.0))
    arm.add(answer(t=1.0, repetition=True))
    arm.add(answer(t=2 * TREND_BUCKET_S, repetition=True))
    assert summary(arm, 3 * TREND_BUCKET_S).trend == (0.5, None, 1.0, None)
    assert len(summary(arm, 1000 * TREND_BUCKET_S).trend) == TREND_BUCKETS


def test_a_new_generation_counts_from_one() -> None:
    arm = tracker()
    arm.add(answer(generation=1))
    arm.add(answer(generation=2))
    assert not arm.add(answer(generation=1))
    assert (arm.answers, arm.generation_answers) == (3, 1)


def test_percentiles_are_nearest_rank() -> None:
    assert percentile([], 95) is None
    assert percentile([3.0], 95) == 3.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.0
