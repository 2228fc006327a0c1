"""Pages as a pure state: one cause one page, repeated until somebody has it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.alerts.board import (
    RESTATE_S,
    Board,
    Notice,
    acknowledged,
    handed_over,
    raised,
    restored,
    snoozed,
    tick,
)
from quantdeck_core.errors import ConflictError, NotFoundError
from quantdeck_core.protocol.alerts import Acknowledge, HandOver, Snooze
from quantdeck_core.protocol.host import Alarm

REPEAT_S = 900.0
EMPTY = Board(host="gpu-1")


def alarm(t: float = 0.0, level: str = "fail", text: str = "rolled back", **more: Any) -> Alarm:
    return Alarm(id=1, t=t, level=level, text=text, **({"experiment": "e", "key": "rollback"} | more))


def actions(notices: tuple[Notice, ...]) -> list[str]:
    return [one.action for one in notices]


def ack(by: str = "ada") -> Acknowledge:
    return Acknowledge(request_id="r", by=by)


def test_the_same_cause_is_one_page() -> None:
    board, first = raised(EMPTY, alarm(0))
    board, second = raised(board, alarm(5, text="rolled back again"))
    assert (actions(first), actions(second)) == (["trigger"], [])
    page = board.page(1)
    assert (page.key, page.count, page.text, page.last) == ("gpu-1/e/rollback", 2, "rolled back again", 5)


def test_an_end_resolves_the_page_and_the_next_beginning_is_another_one() -> None:
    board, _ = raised(EMPTY, alarm(0))
    board, over = raised(board, alarm(9, "ok", "cleared"))
    assert actions(over) == ["resolve"]
    assert board.page(1).outcome == "cleared"
    assert raised(board, alarm(10, "ok", "cleared"))[1] == ()
    board, again = raised(board, alarm(11))
    assert [one.page.id for one in again] == [2]


def test_an_unacknowledged_failure_is_repeated_and_a_warning_is_not() -> None:
    board, _ = raised(EMPTY, alarm(0))
    board, _ = raised(board, alarm(0, "warn", "hot", key="hot", experiment=""))
    assert tick(board, REPEAT_S - 1, REPEAT_S)[1] == ()
    board, again = tick(board, REPEAT_S, REPEAT_S)
    assert [(one.action, one.page.id) for one in again] == [("repeat", 1)]
    assert tick(board, 2 * REPEAT_S - 1, REPEAT_S)[1] == ()


def test_what_somebody_has_is_not_repeated() -> None:
    board, _ = raised(EMPTY, alarm(0))
    board, told = acknowledged(board, 1, ack(), 10)
    assert actions(told) == ["acknowledge"]
    assert acknowledged(board, 1, ack(), 11) == (board, ())
    assert tick(board, 10 * REPEAT_S, REPEAT_S)[1] == ()


def test_a_snoozed_page_is_quiet_until_then_and_a_new_cause_is_not() -> None:
    board, _ = raised(EMPTY, alarm(0))
    board, _ = snoozed(board, 1, Snooze(request_id="r", by="ada", seconds=1800), 10)
    assert tick(board, 1809, REPEAT_S)[1] == ()
    _, other = raised(board, alarm(20, key="gateway"))
    assert actions(other) == ["trigger"]
    assert actions(tick(board, 1810, REPEAT_S)[1]) == ["repeat"]


def test_who_gets_it_handed_over_must_acknowledge_it() -> None:
    board, _ = raised(EMPTY, alarm(0))
    board, _ = acknowledged(board, 1, ack(), 10)
    board, told = handed_over(board, 1, HandOver(request_id="r", by="ada", to="bo", note="control is cold"), 20)
    assert actions(told) == ["handover"]
    assert (board.page(1).state(20), board.page(1).owner) == ("open", "bo")
    assert actions(tick(board, 20 + REPEAT_S, REPEAT_S)[1]) == ["repeat"]


def test_what_becomes_worse_pages_again_though_somebody_has_it() -> None:
    board, _ = raised(EMPTY, alarm(0, "warn"))
    board, _ = acknowledged(board, 1, ack(), 1)
    board, told = raised(board, alarm(2, "fail"))
    assert actions(told) == ["trigger"]
    assert board.page(1).state(2) == "open"


def test_what_just_happened_has_its_words_for_a_cause_and_ends_with_an_acknowledgement() -> None:
    event = {"key": "", "experiment": ""}
    board, _ = raised(EMPTY, alarm(0, text="ended after 63 s", **event))
    board, again = raised(board, alarm(1, text="ended after 64 s", **event))
    assert again == ()
    board, told = acknowledged(board, 1, ack(), 2)
    assert actions(told) == ["resolve"]
    assert actions(raised(board, alarm(3, text="ended after 65 s", **event))[1]) == ["trigger"]


def test_after_a_restart_only_what_is_seen_again_or_belongs_to_an_experiment_stands() -> None:
    board, _ = raised(EMPTY, alarm(0))
    for key in ("hot", "full"):
        board, _ = raised(board, alarm(0, key=key, experiment=""))
    board = restored("gpu-1", board.pages, 100)
    board, _ = raised(board, alarm(110, key="hot", experiment=""))
    board, told = tick(board, 100 + RESTATE_S, 1e6)
    assert [(one.action, one.page.key) for one in told] == [("resolve", "gpu-1/-/full")]
    assert [page.key for page in board.pages.values() if not page.ended] == ["gpu-1/e/rollback", "gpu-1/-/hot"]


def test_a_clock_that_was_set_back_repeats_at_once() -> None:
    board, _ = raised(EMPTY, alarm(10_000))
    assert actions(tick(board, 6_400, REPEAT_S)[1]) == ["repeat"]


def test_ended_pages_cannot_be_taken() -> None:
    board, _ = raised(EMPTY, alarm(0))
    board, _ = raised(board, alarm(1, "ok"))
    with pytest.raises(ConflictError, match="has ended"):
        acknowledged(board, 1, ack(), 2)
    with pytest.raises(NotFoundError):
        acknowledged(board, 7, ack(), 2)


def test_control_characters_go_where_they_come_in() -> None:
    board, _ = raised(EMPTY, alarm(0, text="a\x1b[31m\nb", hint="c\x07"))
    assert (board.page(1).text, board.page(1).hint) == ("a[31m b", "c")


KEYS = st.sampled_from(["a", "b", "c", ""])
EVENTS = st.lists(
    st.tuples(st.sampled_from(["fail", "warn", "ok", "ack", "snooze", "tick", "restart"]), KEYS, st.integers(0, 2000)),
    max_size=60,
)


@given(EVENTS)
def test_in_any_order_there_is_one_open_page_a_cause_and_each_is_triggered_once_before_anything_else(
    events: list[tuple[str, str, int]],
) -> None:
    board, now, told = EMPTY, 0.0, {}
    for kind, key, seconds in events:
        now += seconds
        open_ids = [page.id for page in board.pages.values() if not page.ended]
        notices: tuple[Notice, ...] = ()
        if kind in ("fail", "warn", "ok"):
            board, notices = raised(board, alarm(now, kind, key=key))
        elif kind == "tick":
            board, notices = tick(board, now, REPEAT_S)
        elif kind == "restart":
            board = restored("gpu-1", board.pages, now)
        elif open_ids and kind == "ack":
            board, notices = acknowledged(board, open_ids[0], ack(), now)
        elif open_ids:
            board, notices = snoozed(board, open_ids[0], Snooze(request_id="r", seconds=60), now)
        for notice in notices:
            assert told.get(notice.page.id) != "resolve"
            assert (notice.page.id in told) or notice.action == "trigger"
            told[notice.page.id] = notice.action
        keys = [page.key for page in board.pages.values() if not page.ended]
        assert len(keys) == len(set(keys))
        assert all(page.id in told for page in board.pages.values())
