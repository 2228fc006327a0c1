"""The incident's lines: pure, from what was told to what is drawn."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.glyphs import ASCII, UNICODE
from quantdeck_console.model.incident import Incident, Side, Story
from quantdeck_console.model.incident_handover import handover
from quantdeck_console.model.incident_replay import replay_lines
from quantdeck_console.model.incident_timeline import Columns, Happened, entry_line, happened, matching, opened_lines
from quantdeck_console.model.incident_trends import MARKS, trend_lines
from quantdeck_console.model.incident_view import all_lines, head_lines
from quantdeck_console.model.text import Line, plain, width_of
from quantdeck_console.plain.incident import incident_lines
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView
from quantdeck_core.incident.trend import TrendCell, TrendRow
from quantdeck_core.protocol.experiment import TimelineEntry
from support.fleets import NOW, experiment, rack, replace
from support.incidents import LATER, broken_experiment, line, page, replayed, report, saying

EVIL = "a[/oops][b]\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x85\u202eb\n\tc"


def harmless(text: str) -> bool:
    return not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char == "\u202e" for char in text)


def incident(told: Story, *, hosts: int = 1, error: ErrorInfo | None = None) -> Incident:
    views = [
        HostView(
            name=f"{told.report.host}{number or ''}", link=LinkChange(state="connected"), status=rack(), heard_at=LATER
        )
        for number in range(hosts)
    ]
    status = replace(broken_experiment(), name=told.report.experiment)
    sides = tuple(Side(view=view, experiment=status, asked=Asked(value=told, at=LATER, error=error)) for view in views)
    return Incident(name=told.report.experiment, sides=sides, gateways=tuple(views), now=LATER)


def minute(t: float, bad: int, outputs: int = 20) -> TrendRow:
    cell = TrendCell(outputs=outputs, words=outputs * 40)
    return TrendRow(t=t, control=cell, treatment=replace(cell, repetitions=bad))


def minutes(count: int, bad_from: int, start: float = NOW // 60 * 60) -> tuple[TrendRow, ...]:
    return tuple(minute(start + at * 60, 10 if at >= bad_from else 0) for at in range(count))


def texts(lines: list[Line]) -> list[str]:
    return [plain(one) for one in lines]


def chart(told: Story, timeline: tuple[TimelineEntry, ...] = (), width: int = 80) -> dict[str, str]:
    """The rows of a chart by their first word, cut to its columns."""
    rows = texts(trend_lines(told, timeline, width, ASCII))
    head = next(row for row in rows if "COLUMN" in row)
    began = head.index("A COLUMN") + 21
    return {
        "loops": next(row for row in rows if row.lstrip().startswith("to "))[began:],
        "onset": next((row[began:] for row in rows if "onset" in row), ""),
        "events": next((row[began:] for row in rows if row.startswith(" events")), ""),
    }


@given(st.integers(1, 200), st.integers(0, 199), st.integers(80, 200))
def test_the_onset_stands_under_the_first_column_that_rose(count: int, bad_from: int, width: int) -> None:
    told = Story.of(report(by_time=minutes(count, bad_from), at=NOW))
    drawn = chart(told, width=width)
    if told.began is None:
        assert drawn["onset"] == ""
        return
    at = drawn["onset"].index("^")
    assert told.began.t == NOW // 60 * 60 + bad_from * 60
    assert drawn["loops"][at] == "#"
    assert at == 0 or drawn["loops"][at - 1] == "_"
    assert width_of(next(iter(trend_lines(told, (), width, ASCII)))) <= width


@given(st.integers(0, 30), st.sampled_from(sorted(MARKS)))
def test_a_letter_stands_under_its_minute(after: int, kind: str) -> None:
    start = NOW // 60 * 60
    told = Story.of(report(by_time=minutes(31, 20), at=start + 30 * 60))
    drawn = chart(
        told, (line(start + after * 60 + 59, kind, "done"), line(start - 1, kind, "before all that is shown"))
    )
    assert drawn["events"].rstrip() == f"{MARKS[kind][0]:>{after + 1}}"


def test_of_one_minute_the_gravest_is_marked() -> None:
    told = Story.of(report(by_time=minutes(10, 5), at=NOW))
    entries = tuple(line(NOW, kind, "x") for kind in ("weight", "alarm", "rollback", "replay", "deploy"))
    assert chart(told, entries)["events"].strip() == "R"


def test_minutes_without_answers_are_gaps_and_the_chart_goes_on_to_now() -> None:
    rows = minutes(10, 5)
    told = Story.of(report(by_time=(*rows[:3], *rows[4:]), at=rows[-1].t + 4 * 60))
    assert chart(told)["loops"][:14] == "___ _#####    "


def test_long_after_it_began_the_chart_stays_around_the_onset() -> None:
    told = Story.of(report(by_time=minutes(700, 300), at=NOW + 700 * 60))
    drawn = chart(told)
    assert 8 <= drawn["onset"].index("^") <= 14


def test_nothing_answered_is_said() -> None:
    [said] = texts(trend_lines(Story.of(report(by_time=())), (), 80, UNICODE))
    assert said.startswith(" Nothing was answered in the last twelve hours")


def test_a_day_is_named_where_it_is_another() -> None:
    told = incident(
        Story.of(report(timeline=(line(NOW - 86_400, "create", "yesterday"), line(NOW, "weight", "today"))))
    )
    rows = matching(happened(told), "day")
    columns = Columns.of(told, rows)
    assert [plain(entry_line(one, columns, 80))[1:15] for one in rows] == ["05-31 02:17:44", "06-01 02:17:44"]
    assert plain(entry_line(rows[1], Columns.of(told, rows[1:]), 80)).startswith(" 02:17:44  weight    today")


def test_another_zone_is_said_beside_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    told = incident(Story.of(report()))
    [row] = matching(happened(told), "rollback rolled")
    assert " 06-01 07:47:31 UTC+5:30, 02:17:31 UTC" in texts(opened_lines(row, told, 80))


words = st.text(max_size=120) | st.just(EVIL)


@given(st.lists(words, max_size=4), words, words, st.integers(80, 160), st.integers(1, 3), st.integers(1, 12))
def test_whatever_is_told_fits_and_draws_nothing(
    findings: list[str], text: str, name: str, width: int, hosts: int, most: int
) -> None:
    status = broken_experiment()
    error = ErrorInfo(code="x", title=text, detail=text, hint=text)
    told = saying(text, name, tuple(findings) or (text,))
    asked = (page(experiment=name, text=text, hint=text, owner=text),)
    what = incident(Story.of(told, asked), hosts=hosts, error=error)
    rows = happened(what)
    columns = Columns.of(what, rows)
    lines = [
        *head_lines(what, width, most),
        *all_lines(what, width),
        *(entry_line(one, columns, width) for one in rows),
        *(row for one in rows for row in opened_lines(one, what, width)),
        *trend_lines(what.sides[0].asked.value or Story.of(told), [one.entry for one in rows], width, UNICODE),
        *replay_lines(what, width, text),
    ]
    assert all(width_of(one) <= width for one in lines), next(one for one in lines if width_of(one) > width)
    assert all(harmless(part.text) for one in lines for part in one)
    assert all(harmless(one) for one in incident_lines(told, status, width))


def test_plain_text_has_all_of_it() -> None:
    said = "\n".join(incident_lines(report(replay=replayed()), broken_experiment()))
    for words in (
        "int4_v1 on rack-1: rollback, 0 % on the treatment; rolled back 02:17:31",
        "verdict: breach: ",
        "* The treatment's share of looping answers rose at 02:13 UTC",
        "* It is in longer prompts: 100.0%",
        "TIMELINE  UTC",
        "06-01 02:13:34  restart   started as tiny-q4_0 with another checkpoint",
        "--ctx-size 4096 -> 2048",
        "to 55 %  treatment",
        "^ 02:13 onset",
        "segment eu           304/32",
        "02:13                 24/12   0.0/54.5",
        "It is the quantization, or how it is served",
        "06-01 02:17:24 loop               well               loop",
    ):
        assert words in said
    assert said.isascii()
    calm = "\n".join(incident_lines(report(bad=False), experiment()))
    assert "keep_flagged = true" in calm
    assert "onset" not in calm
    held = "\n".join(incident_lines(report(), broken_experiment()))
    assert "23 flagged prompts are held in memory" in held
    assert "--replay asks them again, on both arms." in held


def test_a_handover_names_what_is_not_rolled_back_everywhere() -> None:
    told = incident(Story.of(report()))
    calm = HostView(name="van-7", status=rack(experiment()), heard_at=LATER)
    assert "on 1 gateway (rack-1)" in handover(told)
    both = Incident(name=told.name, sides=told.sides, gateways=(replace_status(told.gateways[0]), calm), now=LATER)
    assert "on 1 of 2 gateways (rack-1, van-7)" in handover(both)


def replace_status(view: HostView) -> HostView:
    return replace(view, status=rack(broken_experiment()))


def test_a_row_of_one_host_is_found_by_its_host() -> None:
    rows = [Happened("rack-1", line(NOW, "weight", "up")), Happened("van-7", line(NOW, "weight", "up"))]
    assert [one.host for one in matching(rows, "van")] == ["van-7"]
    assert [one.host for one in matching(rows, "!van")] == ["rack-1"]
    assert matching(rows, " ") == rows
