"""The log view: following, holding, filtering; floods, lost links and hostile bytes."""

from __future__ import annotations

import asyncio

import pytest
from textual.geometry import Region

from quantdeck_console.link import log_follow
from quantdeck_console.model.log_tail import KEPT_LINES
from quantdeck_console.screens.logs import MOST_A_DRAW, LogsScreen
from quantdeck_console.widgets.table import Table
from quantdeck_core.errors import UnreachableError
from quantdeck_core.protocol.logs import LogLine, LogSource, LogSources
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, experiment, rack, van
from support.waiting import eventually

LOST = UnreachableError("rack-1 does not answer: reset.", "")
EVIL = "a[/oops][b]\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x85\u202eb\rover"
SEEN = "a[/oops][b]]52;c;ZXZpbA==[2J31mbover"


class Logs:
    """A host with the logs of two engines, its gateway and its agent."""

    def __init__(self, old: int = 60) -> None:
        self.link = FakeLink(rack(experiment(weight_bp=5_000)), van())
        self.sources = LogSources(
            sources=tuple(
                LogSource(source=one, live=True)
                for one in ("agent", "engine:control.1", "engine:treatment.1", "gateway")
            )
        )
        self.link.pages["rack-1", "/v1/logs"] = self.sources
        for source in self.sources.sources:
            name = source.source
            lines = [LogLine(source=name, old=True, text=f"old {name} {number}") for number in range(old)]
            self.link.streams["rack-1", f"/v1/logs/{name}"] = [*lines, LogLine(source=name)]
            self.link.feeds["rack-1", f"/v1/logs/{name}"] = asyncio.Queue()

    async def write(self, source: str, *texts: str, **said: object) -> None:
        for text in texts:
            line = LogLine(source=source, t=NOW - 1, text=text, **said)  # type: ignore[arg-type]
            await self.link.feeds["rack-1", f"/v1/logs/{source}"].put(line)

    async def lose(self, source: str) -> None:
        self.link.pages["rack-1", "/v1/logs"] = LOST
        await self.link.feeds["rack-1", f"/v1/logs/{source}"].put(LOST)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that were lost are tried again at once."""
    monkeypatch.setattr(log_follow, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(log_follow, "LAST_RETRY_S", 0.01)


async def engine_log(deck: Deck) -> None:
    """The log of the first engine, from the host pane."""
    await deck.press("2")
    await deck.shows("agent 0.1.0")
    await deck.press("l")
    await deck.shows("control  ", "following", "old engine:control.1 59")


def selected(deck: Deck) -> str:
    return next((line[1:].strip() for line in deck.text.splitlines() if line.startswith("▌")), "")


async def test_lines_are_shown_as_they_come() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await logs.write("engine:control.1", "one more", "and another")
        await deck.shows("02:17:43 one more", "02:17:43 and another")
        assert selected(deck) == "02:17:43 and another"
        assert "old engine:treatment" not in deck.text


async def test_from_the_fleet_all_logs_of_the_host_are_followed_with_their_names() -> None:
    logs = Logs(old=2)
    async with running(logs.link) as deck:
        await deck.press("l")
        await deck.shows(
            "logs of rack-1", "all that runs  1/5", "treatment.1 old engine:treatment.1 1", "agent       old"
        )
        await logs.write("gateway", "hello")
        await deck.shows("02:17:43 gateway     hello")


async def test_tab_goes_on_to_the_next_log() -> None:
    logs = Logs(old=2)
    async with running(logs.link) as deck:
        await deck.press("l")
        await deck.shows("all that runs  1/5")
        for place, name in ((2, "control"), (3, "treatment"), (4, "agent"), (5, "gateway")):
            await deck.press("tab")
            await deck.shows(f"{name}  {place}/5", f"old {'engine:' if place < 4 else ''}{name}")
            await logs.write(f"engine:{name}.1" if place < 4 else name, f"only {name}")
            await deck.shows(f"only {name}")
        await deck.press("tab")
        await deck.shows("all that runs  1/5")


async def test_scrolling_up_holds_and_f_follows_again() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("k", "up")
        await deck.shows("HELD !, f follows")
        assert selected(deck) == "old engine:control.1 57"
        before = deck.text.splitlines()[2:-5]
        await logs.write("engine:control.1", *(f"new {number}" for number in range(5)))
        await deck.shows("HELD !, 5 newer, f follows")
        assert deck.text.splitlines()[2:-5] == before
        assert "new 4" not in deck.text
        await deck.press("f")
        await deck.shows("following", "new 4")
        await deck.press("g")
        assert selected(deck) == "old engine:control.1 0"
        await deck.press("G")
        await deck.shows("following", "new 4")


async def test_a_held_view_repaints_its_head_alone() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("k")
        await logs.write("engine:control.1", "first")
        await deck.shows("1 newer")
        rows = deck.screen.query_one("#rows", Table)
        painted, refresh = list[tuple[Region, ...]](), rows.refresh
        rows.refresh = lambda *regions, **more: (painted.append(regions), refresh(*regions, **more))[1]  # type: ignore[method-assign]
        await logs.write("engine:control.1", "second")
        await deck.shows("2 newer")
        assert set(painted) == {(Region(0, 0, 80, 1),)}


async def test_names_of_logs_come_and_go_in_all_lines_at_once() -> None:
    logs = Logs(old=2)
    async with running(logs.link) as deck:
        await deck.press("l")
        await deck.shows("treatment.1 old engine:treatment.1 1")
        await deck.press("slash", *"gateway", "enter")
        await deck.shows("         old gateway 1")
        await deck.hides("gateway     old")
        await deck.press("escape")
        await deck.shows("gateway     old gateway 1")


async def test_pages_and_single_lines_of_a_held_view() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("j", "pagedown")
        assert "HELD" not in deck.text
        await deck.press("pageup")
        first = selected(deck)
        assert first != "old engine:control.1 59"
        await deck.press("pageup", "pagedown")
        assert selected(deck) == first
        await deck.press("j", "k")
        assert selected(deck) == first


async def test_going_down_past_the_end_of_a_held_view_goes_on_to_what_came_since() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("k")
        await logs.write("engine:control.1", "new 0", "new 1")
        await deck.shows("2 newer")
        await deck.press("j", "j")
        await eventually(lambda: selected(deck) == "02:17:43 new 0")
        await deck.shows("HELD !, f follows")


async def test_the_whole_of_a_long_line_is_shown_below_while_it_is_held() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await logs.write("engine:control.1", f"{'word ' * 30}the end", "next")
        await deck.shows("next")
        assert "the end" not in deck.text
        await deck.press("k")
        await deck.shows("control.1: word word", "word the end")


async def test_a_filter_narrows_while_lines_come_and_escape_drops_it_before_it_leaves() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("slash", *"error", "enter")
        await deck.shows("no line matches 'error'; Esc shows all")
        await logs.write("engine:control.1", "an ERROR came", "all is fine")
        await deck.shows("an ERROR came", "filter: error")
        assert "fine" not in deck.text
        await deck.press("slash", "!", *"error", "enter")
        await deck.shows("all is fine")
        assert "an ERROR" not in deck.text
        await deck.press("escape")
        await deck.shows("an ERROR came", "all is fine")
        assert deck.screen.NAME == "logs"
        await deck.press("escape")
        assert deck.screen.NAME == "host"


async def test_the_line_under_the_cursor_is_copied_as_the_command_prints_it() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("k", "y")
        assert deck.app.clipboard == "rack-1 control.1 | old engine:control.1 58"


async def test_what_is_lost_or_withheld_is_said_in_the_commands_words() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await logs.write("engine:control.1", "after", lost=1_200, withheld=3)
        await deck.shows(
            "-- 1,200 lines lost: they came faster than they could be shown",
            "-- 3 lines withheld: they can hold what users wrote", "02:17:43 after",
        )  # fmt: skip


@pytest.mark.usefixtures("quick")
async def test_a_link_that_breaks_says_so_and_goes_on_with_what_was_missed() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await logs.lose("engine:control.1")
        await deck.shows("-- link lost: rack-1 does not answer: reset. Trying again.")
        stream = logs.link.streams["rack-1", "/v1/logs/engine:control.1"]
        stream.insert(60, LogLine(source="engine:control.1", old=True, text="written meanwhile"))
        logs.link.pages["rack-1", "/v1/logs"] = logs.sources
        await deck.shows("-- linked again", "written meanwhile")
        await logs.write("engine:control.1", "and on")
        await deck.shows("and on")
        lines = deck.text.splitlines()
        assert sum("old engine:control.1 59" in line for line in lines) == 1
        assert sum("link lost" in line for line in lines) == 1


async def test_a_host_out_of_reach_from_the_start() -> None:
    logs = Logs()
    logs.link.pages["rack-1", "/v1/logs"] = LOST
    async with running(logs.link) as deck:
        await deck.press("l")
        await deck.shows("link lost: rack-1 does not answer: reset. Trying again.")
        assert deck.screen.NAME == "logs"


async def test_an_engine_without_a_log_says_so() -> None:
    logs = Logs()
    logs.link.pages["rack-1", "/v1/logs"] = LogSources(sources=(LogSource(source="agent", live=True),))
    async with running(logs.link) as deck:
        await deck.press("2")
        await deck.shows("agent 0.1.0")
        await deck.press("l")
        await deck.shows("there is no log of control on rack-1; Tab shows others")
        await deck.press("y")
        await deck.shows("there is nothing to copy here")


async def test_lines_are_text_whatever_is_in_them() -> None:
    logs = Logs()
    async with running(logs.link, size=(120, 36)) as deck:
        await engine_log(deck)
        await logs.write("engine:control.1", EVIL)
        await deck.shows(SEEN)
        await deck.press("k", "j", "y")
        assert deck.app.clipboard.endswith(f"| {SEEN}")
        await deck.press("slash", *"oops", "enter")
        await deck.shows("filter: oops", SEEN)
        assert not any((ord(char) < 32 and char != "\n") or 0x7F <= ord(char) < 0xA0 for char in deck.text)


async def test_a_flood_is_drawn_at_the_decks_own_pace_and_keeps_so_many_lines() -> None:
    logs = Logs(old=0)
    async with running(logs.link, size=(120, 36)) as deck:
        await deck.press("2")
        await deck.shows("agent 0.1.0")
        await deck.press("l")
        await deck.shows("control  2/5")
        screen = deck.screen
        assert isinstance(screen, LogsScreen)
        filled = counting(screen, "fill")
        queue = logs.link.feeds["rack-1", "/v1/logs/engine:control.1"]
        many = 6 * MOST_A_DRAW
        await logs.write("engine:control.1", *(f"flood {number}" for number in range(many)))
        await eventually(queue.empty)
        # So many may be taken between two drawings, however fast they come.
        assert filled[0] >= many // MOST_A_DRAW - 1
        await deck.shows(f"flood {many - 1}", f"{KEPT_LINES:,} lines")
        assert filled[0] < many // 50
        rows = screen.query_one("#rows", Table).rows
        assert len(rows) == KEPT_LINES
        assert rows[0].text == f"flood {many - KEPT_LINES}"


def counting(screen: LogsScreen, name: str) -> list[int]:
    """How often a method is called from now on."""
    calls, method = [0], getattr(screen, name)

    def counted() -> None:
        calls[0] += 1
        method()

    setattr(screen, name, counted)
    return calls


async def test_a_rollback_is_two_keys_away() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("done: everyone is on the control")


async def test_a_rollback_that_waits_stays_on_screen() -> None:
    logs = Logs()
    logs.link.answers["rack-1"] = [LOST]
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("unreachable")
        await deck.press("escape")
        await deck.shows("! rollback of int4_v1: unreachable on rack-1; trying again", "following")


async def test_number_keys_leave_the_logs() -> None:
    logs = Logs()
    async with running(logs.link) as deck:
        await engine_log(deck)
        await deck.press("1")
        await deck.shows("TTFT95")
        assert len(deck.app.screen_stack) == 1
