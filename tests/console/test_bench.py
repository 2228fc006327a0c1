"""Pane 6: what users of both arms wait, in words and as pictures, and the measurement that can be asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region

from console.test_foreign_text import EVIL, SEEN, harmless
from quantdeck_console.model.glyphs import ASCII, UNICODE
from quantdeck_console.model.profile_table import profile_lines
from quantdeck_console.model.text import plain
from quantdeck_console.plain.latency import live_lines
from quantdeck_console.screens.bench import BenchScreen
from quantdeck_console.widgets.lines import Lines
from quantdeck_core.errors import ConflictError, ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.canary import LatencyState, MeasureLatency
from quantdeck_core.protocol.distributions import Distributions, Objective
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, changed, experiment, rack, replace, rolled_back, van
from support.fleets import arm as fleet_arm
from support.latencies import ITL, TTFT, arm, distribution, distributions, latency_state, profile, silent_arm, slow_arm
from support.pictures import SIZES, Pictures
from support.waiting import eventually

LIVE = ("rack-1", "/v1/experiments/int4_v1/distributions")
MEASURED = ("rack-1", "/v1/experiments/int4_v1/latency")


@asynccontextmanager
async def bench(
    told: Distributions | None = None,
    state: LatencyState | None = None,
    *,
    status: Any = None,
    ready: str = "counted",
    **options: Any,
) -> AsyncIterator[Deck]:
    """The pane on a host that tells this."""
    link = FakeLink(status or rack(), van())
    link.pages = {LIVE: told or distributions(), MEASURED: state or latency_state()}
    async with running(link, **options) as deck:
        await deck.press("b")
        await deck.shows(ready)
        await deck.shows("MEASURED")
        yield deck


async def test_one_latency_at_a_time_where_there_is_no_room() -> None:
    async with bench() as deck:
        await deck.shows("TTFT  to the first event", "SLO p95 500ms", "[TTFT]  ITL  E2E", "2.1s over !", "last 5 min")
        await deck.shows("CONTROL tiny-f16", "TREATMENT tiny-q4_0", "1,812", "201", "910ms !")
        await deck.press("t")
        await deck.shows("ITL  between two events", "SLO p95 45ms of means", "SLO p95 45ms is in the next row")
        await deck.press("t")
        await deck.shows("E2E  to the last byte", "plan p95 10s")
        await deck.press("t")
        await deck.shows("[TTFT]")


async def test_all_of_them_where_there_is() -> None:
    async with bench(size=(120, 36)) as deck:
        await deck.shows("SLO p95 500ms", "SLO p95 45ms of means", "plan p95 10s", "30,661")
        assert "[TTFT]" not in deck.text
        await deck.press("t")
        await deck.shows("t is not available: all three are shown")


async def test_since_the_gateway_counts() -> None:
    async with bench() as deck:
        await deck.press("s")
        await deck.shows("since the gateway counts", "18,120", "2,010")
        await deck.press("s")
        await deck.shows("last 5 min", "1,812")


async def test_why_it_is_less_than_the_last_minutes() -> None:
    async with bench(distributions(treatment=slow_arm(covers_s=42.0, cut="engine"))) as deck:
        await deck.shows("at most 5 min", "treatment: the last 42 s only: another engine serves since then")
        young = {"covers_s": 9.0, "cut": "gateway"}
        deck.link.pages[LIVE] = distributions(control=arm(**young), treatment=slow_arm(**young))  # type: ignore[arg-type]
        await deck.press("tab")
        await deck.shows(" the last 9 s only: the gateway was started anew")
        assert "treatment: the last" not in deck.text


async def test_without_traffic_it_says_so() -> None:
    told = distributions(control=silent_arm(), treatment=silent_arm())
    async with bench(told, ready="no request was answered in this time") as deck:
        await deck.press("s")
        await deck.shows("no request has been answered since the gateway counts")


async def test_one_arm_without_traffic_is_no_fast_one() -> None:
    async with bench(distributions(treatment=silent_arm())) as deck:
        await deck.shows("- / - / -")
        assert "over !" not in deck.text


async def test_a_gateway_that_tells_nothing() -> None:
    told = Distributions(experiment="int4_v1")
    async with bench(told, ready="the gateway of this host has told nothing of this experiment yet") as deck:
        assert "CONTROL" not in deck.text


def tones(deck: Deck, start: int) -> set[str]:
    """Of what is on the pane from a line on."""
    body = deck.screen.query_one("#body", Lines)
    return {part.tone for one in body.shown[start:] for part in one if part.text.strip()}


async def test_what_is_old_is_never_shown_as_current() -> None:
    async with bench(distributions(age_s=12.0)) as deck:
        await deck.shows("the gateway has not answered for 12s")
        assert tones(deck, 1) == {"stale"}
    async with bench() as deck:
        assert "stale" not in tones(deck, 0)
        deck.clock.now += 9
        await deck.shows("these are from 9s ago")  # the agent hangs: it was asked and has not answered
        assert tones(deck, 1) == {"stale"}


async def test_the_sentence_is_copied() -> None:
    async with bench(size=(120, 36)) as deck:
        await deck.press("y")
        await deck.shows("copied: int4_v1 on rack-1: TTFT p95 of the last minutes: control 220ms, treatment 2.1s")


async def test_a_treatment_without_users_is_measured_after_y() -> None:
    async with bench(status=rack(experiment(weight_bp=0))) as deck:
        await deck.press("m")
        await deck.dialog("form")
        await deck.shows("At most 80 answers of 64 tokens are streamed from treatment", "It has no users.")
        await deck.press("enter")
        assert deck.link.asked == []
        deck.link.pages[MEASURED] = latency_state(running=True, treatment=None)
        await deck.press("y", "y")
        await deck.shows("applied: the treatment is being measured")
        [(host, name, wish)] = deck.link.asked
        assert isinstance(wish, MeasureLatency)
        assert (host, name, wish.variants, wish.with_users, wish.by) == (
            "rack-1", "int4_v1", ("treatment",), False, "ada",
        )  # fmt: skip
        await deck.press("enter")
        await deck.shows("it goes on now", "not measured")
        await deck.press("m")
        await deck.shows("m is not available: it is being measured")


async def test_an_arm_with_users_asks_for_the_name() -> None:
    async with bench() as deck:
        await deck.press("M")
        await deck.dialog("form")
        await deck.shows("measure the control of int4_v1 on rack-1", "90 % of users are on it and will feel it")
        await deck.press("y", "enter")
        await deck.shows("That is not its name.", "Type int4_v1 to measure.")
        assert deck.link.asked == []
        await deck.press("backspace", *"int4_v1", "enter")
        await deck.shows("applied: the control is being measured")
        [(_, _, wish)] = deck.link.asked
        assert (wish.variants, wish.with_users) == (("control",), True)


async def test_a_refusal_is_shown() -> None:
    async with bench(status=rack(rolled_back())) as deck:
        await deck.press("m")
        await deck.dialog("form")
        deck.link.answers["rack-1"] = [ConflictError("The treatment is not ready.", "Deploy it first.")]
        await deck.press("y")
        await deck.shows("x Conflict: The treatment is not ready.", "Deploy it first.")


async def test_read_only_measures_nothing() -> None:
    async with bench(readonly=True) as deck:
        for key in ("m", "M"):
            await deck.press(key)
            await deck.shows(f"{key} is not available: this console was started with --readonly")
        assert deck.screen.NAME == "bench"


async def test_why_the_last_measurement_failed() -> None:
    error = ConflictError("The treatment does not answer: HTTP 500.", "Look at its log.").info()
    async with bench(state=latency_state(treatment=None, error=error)) as deck:
        await deck.shows("MEASURED: the last try failed: The treatment does not answer: HTTP 500. Look")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is asked again at once."""
    monkeypatch.setattr("quantdeck_console.screens.bench.LIVE_S", 0.01)


async def _told(deck: Deck, told: Distributions) -> None:
    """Let the agent tell something else, and wait until it was heard and drawn."""
    deck.link.pages[LIVE] = told
    screen = deck.screen
    assert isinstance(screen, BenchScreen)
    await eventually(lambda: screen.live.value == told, what="the pane asks again")
    deck.draw()


@pytest.mark.usefixtures("quick")
async def test_equal_lines_send_nothing_and_others_only_themselves() -> None:
    async with bench() as deck:
        body = deck.screen.query_one("#body")
        drawn: list[Region] = []
        body.refresh = lambda region, **_: drawn.append(region)  # type: ignore[assignment, return-value, misc]
        await _told(deck, distributions(age_s=0.9))
        assert drawn == []
        more = arm(itl=distribution(ITL, 2, 1))
        await _told(deck, distributions(control=more))
        assert drawn == []  # what changed is not shown
        await _told(deck, distributions(control=arm(ttft=distribution(TTFT, 4, 38, 240, 610, 705, 160, 42, 12, 6))))
        rows = {region.y for region in drawn}
        assert {3, 4} <= rows  # the count, and the percentiles
        assert len(rows) < 6
        assert max(rows) < 16  # and some bars, not what was measured


@pytest.mark.usefixtures("quick")
async def test_an_agent_that_stops_answering_leaves_grey_figures_and_its_reason() -> None:
    async with bench() as deck:
        deck.link.pages[LIVE] = UnreachableError("The agent of rack-1 does not answer: it hangs.", "Look at it.")
        await deck.shows("x Unreachable: The agent of rack-1 does not answer: it hangs.", "1,812")
        assert tones(deck, 1) == {"stale"}
        deck.clock.now += 9
        await deck.shows("these are from 9s ago")
        deck.link.pages[LIVE] = distributions()
        await deck.hides("does not answer")
        assert "stale" not in tones(deck, 0)


async def test_what_comes_from_outside_is_text() -> None:
    odd = experiment(
        control=fleet_arm("control", 500, profile=EVIL), treatment=fleet_arm("treatment", 131, profile=EVIL)
    )
    measured = profile("control", 21.0, note=EVIL)
    state = latency_state(control=replace(measured, engine=EVIL), error=ErrorInfo(code="x", title=EVIL, detail=EVIL))
    async with bench(state=state, status=rack(odd)) as deck:
        await deck.shows(f"MEASURED control: {SEEN}", f"the last try failed: {SEEN}", "CONTROL a[/oops][b]")
        assert harmless(deck.text)
        deck.link.pages[LIVE] = RemoteError(ErrorInfo(code="x", title=EVIL, detail=EVIL), 409)
        await deck.press("escape", "b")
        await deck.shows(f"x {SEEN}: {SEEN}")
        assert harmless(deck.text)


def test_failed_requests_are_said() -> None:
    broken = profile("treatment", 21.0, 30.0, note="ended early: users wait for this arm", errors=3)
    lines = [plain(one) for one in profile_lines(latency_state(treatment=broken), (), NOW, 80, UNICODE)]
    said = "MEASURED treatment: ended early: users wait for this arm; 3 requests failed at 2 at once"
    assert " ".join(one.strip() for one in lines[:2]) == said
    assert lines[-1].startswith(" 8         92ms")


def test_the_command_shows_the_same_in_ascii() -> None:
    lines = live_lines(distributions(age_s=9.0), whole=False)
    assert lines[:2] == ["the gateway has not answered for 9s", "at the gateway, last 5 min"]
    text = "\n".join(lines)
    assert text.isascii()
    assert [word for word in ("TTFT", "ITL", "E2E") if f"\n{word}  " not in text] == []
    assert "-- SLO p95 500ms ---" in text
    assert "2.1s over !" in text
    assert max(map(len, lines)) <= 80
    assert "18,120" in "\n".join(live_lines(distributions(), whole=True))


@pytest.mark.parametrize(
    ("p95_ms", "said"),
    [(500.0, "over !"), (2_000.0, "near ?"), (2_500.0, ""), (2_100.0, "near ?"), (9_000.0, "")],
)
def test_an_estimate_is_over_an_objective_only_where_its_whole_bucket_is(p95_ms: float, said: str) -> None:
    """The 95th percentile lies between 1 and 2.5 s."""
    slow = arm(ttft=distribution(TTFT, 10, 0, 90, 10))
    told = distributions(treatment=slow, objectives=(Objective(signal="ttft", p95_ms=p95_ms, of="experiment"),))
    text = "\n".join(live_lines(told, whole=False))
    assert ("over !" in text, "near ?" in text) == (said == "over !", said == "near ?")


def test_what_lies_above_all_buckets_is_no_figure() -> None:
    endless = arm(ttft=distribution(TTFT, 16, 10))
    lines = live_lines(distributions(treatment=endless), whole=False)
    assert any(line.startswith("p50/95/99") and ">10s / >10s over ! / >10s" in line for line in lines)
    assert any(line.startswith("> 10s") and line.rstrip().endswith("100%") for line in lines)


@given(share=st.floats(0, 1.5), width=st.integers(1, 60))
def test_a_bar_never_leaves_its_column_and_a_little_is_seen(share: float, width: int) -> None:
    for glyphs in (UNICODE, ASCII):
        bar = glyphs.plot(share, width)
        assert len(bar) <= width
        assert bool(bar) == (share > 0)
        assert abs(len(bar) - min(1.0, share) * width) <= 1


@SIZES
async def test_pictures(picture: Pictures, size: tuple[int, int]) -> None:
    level = latency_state(treatment=profile("treatment", 18.0, 24.0, 41.0, 88.0))
    async with bench(distributions(treatment=arm()), level, size=size) as deck:
        await picture(deck, "bench-calm")
    async with bench(size=size) as deck:
        await picture(deck, "bench-slow")
    partly = latency_state(treatment=profile("treatment", 34.0, 61.0, note="ended early: users wait for this arm"))
    async with bench(distributions(treatment=slow_arm(covers_s=42.0, cut="engine")), partly, size=size) as deck:
        await deck.press("s", "s")
        await picture(deck, "bench-engine-switched")
    young = distributions(
        control=silent_arm(covers_s=9.0, cut="gateway"), treatment=silent_arm(covers_s=9.0, cut="gateway")
    )
    async with bench(young, latency_state(control=None, treatment=None), size=size, ready="no request") as deck:
        await picture(deck, "bench-empty")
    async with bench(size=size) as deck:
        deck.link.say("rack-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.clock.now += 48
        await deck.shows("these are from 48s ago")
        await picture(deck, "bench-stale")


@SIZES
async def test_picture_of_a_measurement_under_way(picture: Pictures, size: tuple[int, int]) -> None:
    async with bench(state=latency_state(running=True, treatment=None), size=size) as deck:
        await deck.shows("it goes on now")
        await picture(deck, "bench-busy")


@SIZES
async def test_picture_of_an_agent_that_does_not_tell(picture: Pictures, size: tuple[int, int]) -> None:
    link = FakeLink(rack(), van())
    async with running(link, size=size) as deck:
        await deck.press("b")
        await deck.shows("x Not found")
        await picture(deck, "bench-error")


@SIZES
async def test_picture_of_the_dialog(picture: Pictures, size: tuple[int, int]) -> None:
    async with bench(size=size) as deck:
        await deck.press("m")
        await deck.dialog("form")
        await deck.shows("10 % of users are on it")
        await picture(deck, "dialog-measure")


@pytest.mark.parametrize("key", ["6", "b"])
async def test_it_opens_from_everywhere(key: str) -> None:
    link = FakeLink(rack(), van())
    link.pages = {LIVE: distributions(), MEASURED: latency_state()}
    async with running(link) as deck:
        await deck.press("enter", key)
        await deck.shows("counted")
        deck.link.say("rack-1", changed(experiment("other")))
        deck.draw()
        await deck.press("tab")
        await deck.shows("other on rack-1", "x Not found")
