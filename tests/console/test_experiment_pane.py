"""Pane 4 beside its arms: the plan, the freeze, the other gateways, the way back, and what is judged unseen."""

from __future__ import annotations

from typing import Any

import pytest

from quantdeck_console.model.arms import arm_lines
from quantdeck_console.model.experiment_view import experiment_lines
from quantdeck_console.model.glyphs import ASCII
from quantdeck_console.model.rollout_view import gateway_lines, no_plan, plan_lines, way_back
from quantdeck_console.model.text import Line, plain
from quantdeck_core.drift.verdict import Verdict
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.drill import DrillRecord
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.rollout.readiness import Readiness
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import NOW, arm, experiment, frozen, plan, rack, replace, rolled_back, van

CONNECTED = LinkChange(state="connected", role="operator")


def view(status: HostStatus, link: LinkChange = CONNECTED) -> HostView:
    return HostView(name=status.name, link=link, status=status, linked_at=NOW, heard_at=NOW)


def text(lines: list[Line]) -> str:
    return "\n".join(map(plain, lines))


def table(one: ExperimentStatus, width: int = 80) -> str:
    return text([line for group in arm_lines(one, width, ASCII) for line in group])


@pytest.mark.parametrize(
    ("changes", "second"),
    [
        ({}, "50 % next in about 3 h 58 min if all stays well"),
        ({"left_s": None}, "50 % next; waits for: 2 h 1 min of 6 h soaked at 10 %"),
        (
            {"phase": "paused", "left_s": None, "waits_for": ("paused by ada: lunch",)},
            "50 % next; waits for: paused by ada: lunch",
        ),
        ({"next_bp": None}, "done in about 3 h 58 min if all stays well"),
        ({"phase": "done", "next_bp": None, "left_s": None, "waits_for": ()}, None),
    ],
)
def test_the_plan_says_when_it_goes_on_and_what_it_waits_for(changes: dict[str, Any], second: str | None) -> None:
    lines = plan_lines(experiment(progress=plan(**changes)), 120)
    assert "int4_rollout_v1 2/4: " in plain(lines[0])
    assert [plain(one).strip() for one in lines[1:]] == ([second] if second else [])


def test_without_a_plan_it_says_how_to_begin_one_where_that_makes_sense() -> None:
    assert "`quantdeck rollout start FILE` begins one" in text(no_plan(experiment(), 80))
    for one in (experiment(progress=plan()), rolled_back(), experiment(finished=True)):
        assert no_plan(one, 80) == []


def test_the_other_gateways_and_how_they_stand() -> None:
    others = [
        (view(van(name="a")), experiment(weight_bp=500)),
        (view(van(name="b")), rolled_back()),
        (view(van(name="c"), LinkChange(state="lost")), experiment()),
        (view(van(name="d")), experiment(effective=False)),
        (view(van(name="e")), experiment(finished=True)),
    ]
    assert text(gateway_lines(others, 120)).strip() == (
        "also   on 5 more gateways: a 95/5, b 100/0 rolled back, c out of reach, d 90/10 not effective yet, e ended"
    )
    assert gateway_lines([], 80) == []


def test_the_way_back() -> None:
    drill = DrillRecord(t=NOW - 7_200, by="ada", passed=True)
    ready = Readiness(can=True, expected_s=0.006, last_drill=drill, warnings=("1 of 2 replicas are ready",))
    said = text(way_back(experiment(rollback=ready), NOW, 120))
    assert said.strip() == "back   about 6.0 ms; rehearsed 2h ago: it would work; 1 of 2 replicas are ready"
    failed = replace(ready, last_drill=replace(drill, passed=False))
    assert "it would NOT work" in text(way_back(experiment(rollback=failed), NOW, 120))
    assert way_back(experiment(), NOW, 120) == []


def test_what_is_judged_and_not_shown_gets_a_row_where_it_is_wrong() -> None:
    assert "long," not in table(experiment())
    loops = Verdict(kind="breach", signal="long-repetition", reason="12 % of long prompts loop")
    slow = Verdict(kind="watch", signal="itl", reason="41 ms between tokens, 12 ms on the control")
    said = table(replace(experiment(), signals={"long-repetition": loops, "itl": slow}), 120)
    assert "long, repetition   12 % of long prompts loop" in said
    assert "between tokens     41 ms between tokens, 12 ms on the control" in said
    assert said.count("over limit x") == 1
    assert said.count("watch !") == 1


def test_garbled_and_empty_answers_show_once_there_are_any() -> None:
    assert "garbled" not in table(experiment())
    broken = arm("treatment", 100)
    window = replace(broken.window, garbled=12, truncated=3)
    said = table(experiment(treatment=replace(broken, window=window)))
    assert "garbled            0.0 %" in said
    assert "12.0 %" in said
    assert "cut short" in said
    assert "empty" not in said
    assert all(len(one) <= 80 for one in said.splitlines())


def test_first_tokens_are_judged_where_they_stand() -> None:
    slow = Verdict(kind="breach", signal="ttft", reason="900 ms to the first token")
    row = next(one for one in table(replace(experiment(), signals={"ttft": slow})).splitlines() if "TTFT" in one)
    assert row.endswith("over limit x")


def test_all_of_it_fits_a_low_and_a_high_screen() -> None:
    status = rack(experiment(progress=plan()), frozen=frozen())
    others = [(view(van()), rolled_back())]
    for width, height in ((80, 22), (120, 34)):
        lines = experiment_lines(view(status), status.experiments[0], NOW, width, height, ASCII, others)
        assert len(lines) <= height
        said = text(lines)
        for words in (
            "FROZEN by bo since 02:10",
            "plan   int4_rollout_v1",
            "also   on 1 more gateway: van-7",
            "TIMELINE",
        ):
            assert words in said, (height, words)


async def test_the_pane_shows_it() -> None:
    others = van(experiments=(rolled_back(),))
    async with running(FakeLink(rack(experiment(progress=plan()), frozen=frozen()), others)) as deck:
        await deck.press("4")
        await deck.press("tab")
        await deck.shows(
            "also   on 1 more gateway: van-7 100/0 rolled back", "FROZEN by bo", "50 % next in about 3 h 58"
        )
