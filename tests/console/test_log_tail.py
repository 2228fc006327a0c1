"""What is kept of a log, what is shown of it, and which logs there are: without a screen."""

from __future__ import annotations

import pytest

from quantdeck_console.model.log_choices import EVERYTHING, LogChoice, after, choice_of, log_choices
from quantdeck_console.model.log_tail import KEPT_TEXT, LogTail
from quantdeck_core.fleet.log_text import HostLine
from quantdeck_core.protocol.logs import LogLine, LogSource
from support.fleets import engine


def came(*texts: str, source: str = "engine:a.1") -> list[HostLine]:
    return [HostLine(host="h", source=source, line=LogLine(source=source, text=text)) for text in texts]


def shown(tail: LogTail, pattern: str = "") -> list[str]:
    return [row.text for row in tail.rows(pattern)]


def test_the_oldest_go_first() -> None:
    tail = LogTail(kept=3)
    tail.add(came("a", "b", "c", "d"))
    assert shown(tail) == ["b", "c", "d"]
    assert [row.number for row in tail.rows()] == [1, 2, 3]


def test_a_held_view_stands_still_and_says_how_much_came_since() -> None:
    tail = LogTail(kept=3)
    tail.add(came("a", "b", "c"))
    tail.hold()
    tail.add(came("d", "e"))
    assert (shown(tail), tail.held, tail.newer) == (["a", "b", "c"], True, 2)
    tail.hold()
    assert (shown(tail), tail.newer) == (["c", "d", "e"], 0)
    tail.follow()
    assert (shown(tail), tail.held, tail.newer) == (["c", "d", "e"], False, 0)


def test_a_view_that_was_held_before_anything_came() -> None:
    tail = LogTail()
    tail.hold()
    tail.add(came("a"))
    assert (shown(tail), tail.newer) == ([], 1)


def test_what_is_missing_stands_before_the_line_and_heartbeats_do_not_stand_at_all() -> None:
    tail = LogTail()
    lines = (
        LogLine(source="gateway"),
        LogLine(source="gateway", lost=1_200, withheld=2, text="x"),
        LogLine(source="gateway", lost_unknown=True),
    )
    tail.add([HostLine(host="h", source="gateway", line=line) for line in lines])
    tail.add([HostLine(host="h", note="link lost: reset. Trying again.")])
    assert [(row.remark, row.text) for row in tail.rows()] == [
        (True, "1,200 lines lost: they came faster than they could be shown"),
        (True, "2 lines withheld: they can hold what users wrote"),
        (False, "x"),
        (True, "lines may be missing here"),
        (True, "link lost: reset. Trying again."),
    ]


def test_a_filter_looks_at_the_name_and_the_words_and_may_be_inverted() -> None:
    tail = LogTail()
    tail.add([*came("ERROR out of memory", "fine"), *came("fine too", source="gateway")])
    assert shown(tail, "memory error") == ["ERROR out of memory"]
    assert shown(tail, "!error") == ["fine", "fine too"]
    assert shown(tail, "gateway") == ["fine too"]
    assert shown(tail, "  ") == ["ERROR out of memory", "fine", "fine too"]


def test_lines_are_text_and_not_longer_than_is_kept() -> None:
    tail = LogTail()
    tail.add(came("\x1b]52;c;ZXZpbA==\x07\x9b31m[/bold]\x85\u202eb\rover", "x" * 100_000))
    evil, long = shown(tail)
    assert evil == "]52;c;ZXZpbA==31m[/bold]bover"
    assert len(long) < KEPT_TEXT + 10
    assert long.endswith(" [...]")


SOURCES = tuple(
    LogSource(source=source, live=live)
    for source, live in (
        ("agent", True), ("engine:a.1", False), ("engine:a.2", True), ("engine:a.3", True), ("engine:b.7", False),
        ("gateway", True),
    )
)  # fmt: skip


def test_engines_come_first_by_name_then_their_siblings_then_the_others() -> None:
    choices = log_choices(SOURCES, EVERYTHING)
    assert [one.label for one in choices] == ["all that runs", "a.2", "a", "agent", "gateway"]
    assert choices[2].wanted == ("a",)
    assert choices[1].wanted == ("engine:a.2",)


def test_the_present_choice_is_always_among_them() -> None:
    gone = LogChoice("b", ("b",))
    choices = log_choices(SOURCES, gone)
    assert choices[-1] == gone
    assert after(gone, choices) == EVERYTHING
    assert after(EVERYTHING, choices).label == "a.2"
    assert after(EVERYTHING, log_choices((), EVERYTHING)) == EVERYTHING


@pytest.mark.parametrize(
    ("name", "choice"), [("a", LogChoice("a", ("a",))), ("a/1", LogChoice("a.4", ("engine:a.4",)))]
)
def test_a_replica_has_a_log_of_its_own(name: str, choice: LogChoice) -> None:
    assert choice_of(engine(name, generation=4)) == choice
