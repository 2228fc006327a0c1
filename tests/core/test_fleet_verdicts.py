"""Each signal by itself, as the experiment pane shows it beside the overall verdict."""

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.floor import floor_verdict, judge_signals
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.drift.verdict import SIGNALS
from quantdeck_core.drift.window import WindowStats

LIMITS = Thresholds()


def window(
    outputs: int = 200, loops: int = 0, refusals: int = 0, words: float = 40.0, failures: int = 0
) -> WindowStats:
    return WindowStats(
        outputs=outputs,
        repetitions=min(loops, outputs),
        refusals=min(refusals, outputs),
        failures=failures,
        mean_words=words if outputs else None,
        sd_words=5.0 if outputs else None,
    )


def kinds(control: WindowStats, treatment: WindowStats) -> dict[str, str]:
    return {signal: verdict.kind for signal, verdict in judge_signals(control, treatment, LIMITS).items()}


def test_two_equal_arms_are_healthy_in_everything() -> None:
    assert kinds(window(), window()) == dict.fromkeys(SIGNALS, "healthy")


def test_several_signals_can_break_at_once() -> None:
    found = kinds(window(), window(loops=100, words=90.0))
    assert (found["repetition"], found["length"], found["refusal"]) == ("breach", "breach", "healthy")


def test_without_enough_answers_each_says_how_many_are_missing() -> None:
    found = judge_signals(window(), window(outputs=12), LIMITS)
    assert {verdict.needed for verdict in found.values()} == {38}
    control = judge_signals(window(outputs=20), window(loops=100), LIMITS)
    assert control["repetition"].kind == "breach"
    assert control["refusal"].reason == "needs 30 more outputs of the control"


counts = st.integers(min_value=0, max_value=400)
windows = st.builds(window, counts, counts, counts, st.floats(min_value=1, max_value=200), counts)


@given(windows, windows)
def test_the_signal_that_decides_overall_says_the_same_by_itself(control: WindowStats, treatment: WindowStats) -> None:
    overall = floor_verdict(control, treatment, LIMITS)
    if overall.kind in ("breach", "watch"):
        assert judge_signals(control, treatment, LIMITS)[overall.signal] == overall
