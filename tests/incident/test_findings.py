"""When it began, what was done just before, and whom it hits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.drift.observation import Observation
from quantdeck_core.incident.findings import Spans, findings, onset
from quantdeck_core.incident.trend import BUCKET_S, BUCKETS, MAX_SEGMENTS, OTHER, Trend, TrendCell
from quantdeck_core.protocol.experiment import TimelineEntry

HOUR = 3600.0
BEGIN = 1_790_000_000 // 60 * 60.0


def answer(minute: float, variant: str, **what: object) -> Observation:
    return Observation(variant=variant, t=BEGIN + minute * 60, words=100, **what)  # type: ignore[arg-type]


def story(
    *, loops_from: int | None = None, control_too: bool = False, only_long: bool = False, segment: str = ""
) -> Trend:
    """An hour of 20 answers a minute on each arm; a loop in every fifth answer of the treatment from a minute on,
    or in all of those to long prompts, or of a segment."""
    trend = Trend()
    for minute in range(60):
        for number in range(20):
            long, part = number % 4 == 0, ("eu" if number % 2 else "us")
            hit = long if only_long else part == segment if segment else number % 5 == 0
            bad = hit and loops_from is not None and minute >= loops_from
            trend.add(answer(minute, "treatment", repetition=bad, long=long, segment=part))
            trend.add(answer(minute, "control", repetition=bad and control_too, long=long, segment=part))
    return trend


def told(trend: Trend, *timeline: TimelineEntry) -> str:
    began = onset(trend.by_time())
    since = began.t if began else 0.0
    return " ".join(findings(trend.by_time(), trend.by_length(since), trend.by_segment(since), timeline))


def line(minute: float, kind: str, text: str) -> TimelineEntry:
    return TimelineEntry(t=BEGIN + minute * 60, kind=kind, text=text, by="ann")


def test_nothing_is_found_where_nothing_is() -> None:
    assert onset(story().by_time()) is None
    assert told(story()) == "No signal of the treatment rose by more than 5 points in the last twelve hours."
    assert told(Trend()).startswith("No signal")


def test_the_minute_and_the_arm_are_named() -> None:
    began = onset(story(loops_from=30).by_time())
    assert began
    assert (began.signal, began.t) == ("repetition", BEGIN + 30 * 60)
    assert (began.before, began.after, began.control_after) == (0.0, 0.2, 0.0)
    assert "it is in the treatment, not in the traffic" in told(story(loops_from=30))


def test_an_incident_from_the_first_answer_on_is_held_against_the_control() -> None:
    began = onset(story(loops_from=0).by_time())
    assert began
    assert (began.t, began.before) == (BEGIN, None)


def test_where_the_control_rises_too_the_cause_is_upstream() -> None:
    assert "look upstream" in told(story(loops_from=30, control_too=True))


def test_what_was_done_just_before_is_named_and_what_was_long_before_is_not() -> None:
    said = told(
        story(loops_from=30),
        line(2, "deploy", "treatment deployed"),
        line(28, "restart", "another checkpoint q4.gguf 11 -> q4.gguf 22"),
        line(29, "verdict", "watch"),
        line(45, "weight", "weight 10 % -> 0 %"),
    )
    assert "2 minutes before: another checkpoint q4.gguf 11 -> q4.gguf 22 (ann)." in said
    assert "treatment deployed" not in said
    assert "weight" not in said
    assert "look at the traffic" in told(story(loops_from=30), line(2, "deploy", "treatment deployed"))


def test_damage_that_only_long_prompts_meet_is_said_so() -> None:
    said = told(story(loops_from=30, only_long=True))
    assert "It is in longer prompts: 100.0%, 0.0% elsewhere" in said


def test_a_segment_that_is_hit_alone_is_said_so() -> None:
    assert "It is in segment us: 100.0%" in told(story(loops_from=30, segment="us"))
    assert "It is alike in longer prompts (20.0%), shorter prompts (20.0%)" in told(story(loops_from=30))


def test_a_client_that_makes_up_segments_fills_no_memory() -> None:
    trend = Trend()
    for number in range(1000):
        trend.add(answer(0, "control", segment=f"s{number}"))
    rows = trend.by_segment()
    assert len(rows) == MAX_SEGMENTS + 1
    assert sum(row.control.outputs for row in rows) == 1000
    assert next(row for row in rows if row.label == f"segment {OTHER}").control.outputs == 1000 - MAX_SEGMENTS


@given(st.lists(st.tuples(st.integers(0, 3 * BUCKETS), st.sampled_from(["control", "treatment"])), max_size=60))
def test_only_the_newest_buckets_are_kept_and_each_answer_counts_once(answers: list[tuple[int, str]]) -> None:
    trend = Trend()
    for minute, variant in answers:
        trend.add(answer(minute, variant))
    rows = trend.by_time()
    assert [row.t for row in rows] == sorted({row.t for row in rows})
    assert len(rows) <= BUCKETS
    times = {BEGIN + minute * BUCKET_S for minute, _ in answers}
    if len(times) <= BUCKETS:
        assert sum(row.control.outputs + row.treatment.outputs for row in rows) == len(answers)


@given(st.lists(st.tuples(*[st.integers(0, 99)] * 6), max_size=12), st.integers(0, 12), st.integers(0, 15))
def test_a_span_is_the_sum_of_its_cells(counts: list[tuple[int, ...]], start: int, end: int) -> None:
    names = ("outputs", "failures", "repetitions", "refusals", "garbled", "words")
    cells = [TrendCell(**dict(zip(names, one, strict=True))) for one in counts]
    start = min(start, len(cells))
    assert Spans(cells).sum(start, max(start, end)) == sum(cells[start:end], TrendCell())
    assert Spans(cells).sum(start) == sum(cells[start:], TrendCell())
