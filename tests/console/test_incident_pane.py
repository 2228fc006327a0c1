"""Pane 5: what happened, why, who has it, and is it the quantization?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from quantdeck_console.widgets.lines import Lines
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent, Snapshot
from quantdeck_core.protocol.host import Alarm
from support.decks import Deck, running
from support.fake_link import Clock, FakeLink
from support.fleets import NOW, changed, experiment, rack, replace, rolled_back, van
from support.incidents import LATER, broken_experiment, line, page, pages, report, tells

INCIDENT = "/v1/experiments/int4_v1/incident"
ROSE = "The treatment's share of looping answers rose at 02:13 UTC"


def broken(**options: Any) -> FakeLink:
    link = FakeLink(rack(broken_experiment()), van(), **options)
    tells(link, report(), listed=pages(page()))
    return link


@asynccontextmanager
async def opened(link: FakeLink, **options: Any) -> AsyncIterator[Deck]:
    async with running(link, clock=Clock(LATER), **options) as deck:
        await deck.press("i")
        await deck.shows("TIMELINE")
        yield deck


def heads(deck: Deck) -> list[str]:
    """The kinds of the lines that are shown."""
    return [row[12:21].strip() for row in deck.text.splitlines() if row[4:5] == ":" == row[7:8]]


async def test_it_says_how_it_stands_who_has_it_and_what_was_found() -> None:
    async with opened(broken()) as deck:
        await deck.shows("FAIL x  rolled back 02:17:31: 33.3% of answers loop", "rolled back on 1 of 1 gateway")
        await deck.shows("nobody has it !", ROSE, "The control did not (0.2%): it is in the treatment")
        await deck.shows("TIMELINE  12 lines", "02:13:34  restart", "02:17:31  rollback", "02:24:24  freeze")
        await deck.press("o")
        await deck.shows("tiny-q4_0.gguf abababababab -> tiny-q4_0.gguf cdcdcdcdcdcd", "It is in longer prompts")
        await deck.shows("page 7 of rack-1: rolled back from 50 %; nobody has it")
        await deck.press("escape")
        await deck.shows("TIMELINE")


async def test_who_acknowledged_it_has_it() -> None:
    link = broken()
    tells(link, report(), listed=pages(page(acknowledged_by="bo"), page(id=8, experiment="other", text="not of it")))
    async with opened(link) as deck:
        await deck.shows("acknowledged by bo")
        assert "nobody has it" not in deck.text


async def test_until_the_agent_answers_the_hosts_own_timeline_is_shown() -> None:
    link = broken()
    link.held.add(INCIDENT)
    link.gate.clear()
    async with opened(link) as deck:
        await deck.shows("asking rack-1 what happened", "02:17:31  rollback")
        link.gate.set()
        await deck.shows(ROSE)


async def test_what_happens_is_asked_for_at_once() -> None:
    link = broken()
    async with opened(link) as deck:
        await deck.shows(ROSE)
        newer = broken_experiment()
        newer = replace(newer, timeline=(*newer.timeline, line(LATER + 3, "clear", "cleared: mended", "cy")))
        told = report(findings=("All is well again.",), timeline=newer.timeline)
        tells(link, told)
        link.say("rack-1", changed(newer))
        await deck.shows("clear     cleared: mended", "All is well again.")


async def test_a_refusal_says_what_to_do_and_leaves_what_the_host_tells_by_itself() -> None:
    link = FakeLink(rack(broken_experiment()), van())
    info = ErrorInfo(
        code="refused", title="Refused", detail="The agent answered with HTTP 404.",
        hint="It may be older than this console and not know this: update it.",
    )  # fmt: skip
    link.pages[("rack-1", INCIDENT)] = RemoteError(info, 404)
    async with opened(link) as deck:
        await deck.shows("x Refused: The agent answered with HTTP 404.", "older than this console", "12 lines")
        await deck.shows("The timeline is what the host tells by itself.", "02:17:31  rollback")
        await deck.press("v")
        await deck.shows("rack-1 has told no figures yet")
        await deck.press("v")
        await deck.shows("Whether prompts are held is not known")
        await deck.press("enter", "enter")
        await deck.shows("What ran then is not known")


async def test_what_is_old_is_grey_and_says_how_old() -> None:
    link = broken()
    async with opened(link) as deck:
        await deck.shows(ROSE)
        link.pages[("rack-1", INCIDENT)] = UnreachableError("rack-1 did not answer.", "It is tried again.")
        deck.link.say("rack-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.clock.now += 48
        await deck.shows("STALE ?", "told 48s ago", "x Unreachable: rack-1 did not answer.", ROSE)
        rows = deck.screen.query_one("#top", Lines).shown
        found = next(row for row in rows if any(ROSE in part.text for part in row))
        assert {part.tone for part in found} == {"stale"}
        await deck.press("v")
        drawn = deck.screen.query_one("#body", Lines).shown
        assert {part.tone for row in drawn[1:] for part in row} == {"stale"}


async def test_the_cursor_follows_the_newest_line_until_it_is_put_elsewhere() -> None:
    link = broken()
    async with opened(link) as deck:
        await deck.shows(ROSE)
        assert "▌ 02:24:24" in deck.text
        link.say("rack-1", AlarmEvent(revision=2, alarm=Alarm(id=9, t=LATER, level="fail", text="the page is loud")))
        await deck.shows("▌ 02:32:44  alarm     the page is loud")
        await deck.press("k", "k")
        await deck.shows("▌ 02:19:44")
        over = Alarm(id=10, t=LATER + 1, level="ok", text="the page is quiet", experiment="int4_v1")
        elsewhere = Alarm(id=11, t=LATER + 1, level="fail", text="of another one", experiment="other")
        link.say("rack-1", AlarmEvent(revision=3, alarm=over))
        link.say("rack-1", AlarmEvent(revision=4, alarm=elsewhere))
        await deck.shows("TIMELINE  14 lines", "▌ 02:19:44")
        assert "of another one" not in deck.text
        await deck.press("G")
        await deck.shows("▌ 02:32:45  over      the page is quiet")


async def test_enter_opens_a_start_with_its_command_line_and_what_changed() -> None:
    async with opened(broken()) as deck:
        await deck.shows(ROSE)
        await deck.press("g")
        for _ in range(6):
            await deck.press("j")
        await deck.shows("▌ 02:13:34  restart")
        await deck.press("enter")
        await deck.shows("restart on rack-1 by quantdeck", "06-01 02:13:34 UTC")
        await deck.shows("control: tiny-f16, tiny-f16.gguf 3f3f3f3f3f3f, engine 2026.9.1, since 05-31")
        await deck.shows(f"sha256 {'cd' * 32}", "changed: --ctx-size 4096 -> 2048", "--model /models/tiny-q4_0.gguf")
        await deck.press("enter")
        await deck.shows("TIMELINE")


async def test_a_line_before_every_start_says_so() -> None:
    link = FakeLink(rack(experiment()), van())
    tells(link, report(bad=False, control_starts=()))
    async with opened(link) as deck:
        await deck.shows("No signal of the treatment rose")
        await deck.press("g", "enter")
        await deck.shows("deploy on rack-1 by ada", "control: no start before that is known", "treatment: tiny-q4_0")


async def test_words_narrow_the_timeline() -> None:
    async with opened(broken()) as deck:
        await deck.shows(ROSE)
        await deck.press("slash", *"weight")
        await deck.shows("TIMELINE  3 lines   / weight")
        assert set(heads(deck)) == {"create", "weight"}
        await deck.press("enter", "slash", *"!quantdeck", "enter")
        await deck.shows("/ !quantdeck")
        assert "rollback" not in heads(deck)
        await deck.press("slash", *"nothing like that", "enter")
        await deck.shows("TIMELINE  0 lines")
        await deck.press("enter")
        await deck.press("escape")
        await deck.shows("TIMELINE  12 lines")
        assert deck.screen.NAME == "incident"
        await deck.press("escape")
        assert deck.screen.NAME == "fleet"


async def test_trends_show_the_onset_and_what_was_done_under_one_axis() -> None:
    async with opened(broken()) as deck:
        await deck.shows(ROSE)
        await deck.press("v")
        await deck.shows("TRENDS", "loops !    control", "to 55 %  treatment", "^ 02:13 onset", "S start")
        rows = deck.text.splitlines()
        treatment = next(row for row in rows if "to 55 %" in row)
        letters = next(row for row in rows if row.startswith(" events"))
        began = next(row for row in rows if "onset" in row).index("^")
        assert treatment[began - 1 : began + 2] == "▁██"
        assert letters[began] == "S"
        assert letters.index("R") == began + 4
        assert "GROUPS" not in deck.text
        await deck.press("G")
        await deck.shows("MINUTES", "24/12", "0.0/54.5")
        await deck.press("g")
        await deck.shows("A COLUMN A MINUTE")


async def test_a_high_screen_has_room_for_two_views() -> None:
    async with opened(broken(), size=(120, 36)) as deck:
        await deck.shows("TIMELINE", "trends", "A COLUMN A MINUTE", "^ 02:13 onset", "▌ 02:24:24")
        await deck.press("v")
        await deck.shows("timeline", "TRENDS  v replay, timeline")
        await deck.press("v")
        await deck.shows("timeline", "REPLAY", "23 flagged prompts are held")


async def test_all_gateways_in_one_timeline() -> None:
    second = replace(rolled_back(), timeline=(line(NOW - 10, "rollback", "rolled back from 50 %, here too", "cy"),))
    link = FakeLink(rack(broken_experiment()), van(experiments=(second,)))
    tells(link, report(), listed=pages(page()))
    tells(link, report(second, host="its own name", findings=("Nothing rose on the van.",)), host="van-7")
    async with opened(link) as deck:
        await deck.shows(ROSE, "rolled back on 2 of 2 gateways", "on rack-1")
        assert "here too" not in deck.text
        await deck.press("m")
        await deck.shows("int4_v1 on 2 gateways", "van-7: Nothing rose on the van.", f"rack-1: {ROSE}")
        await deck.shows(
            "02:17:31  rollback  rack-1 rolled back", "02:17:34  rollback  van-7  rolled back from 50 %, here"
        )
        await deck.press("m")
        await deck.hides("here too")
        await deck.shows("int4_v1 on rack-1")


async def test_one_gateway_is_merged_with_none() -> None:
    async with opened(broken()) as deck:
        await deck.press("m")
        await deck.shows("int4_v1 runs on no other gateway")


async def test_where_it_is_not_rolled_back_everywhere_that_is_said() -> None:
    link = FakeLink(rack(broken_experiment()), van(experiments=(experiment(),)))
    tells(link, report())
    async with opened(link) as deck:
        await deck.shows("rolled back on 1 of 2 gateways !")
        await deck.press("y")
        assert "on 1 of 2 gateways (rack-1, van-7)" in deck.app.clipboard


async def test_a_summary_to_hand_over_is_one_line_in_utc() -> None:
    link = broken()
    tells(link, report(), listed=pages(page(owner="cy")))
    async with opened(link) as deck:
        await deck.shows(ROSE)
        await deck.press("y")
        said = deck.app.clipboard
        assert said.startswith("int4_v1: rolled back at 02:17:31 UTC from 50 % by quantdeck: 33.3% of answers loop")
        assert f"on 1 of 1 gateway (rack-1). {ROSE}" in said
        assert "In the same minute: started as tiny-q4_0 with another checkpoint" in said
        assert said.endswith("Page 7 of rack-1: handed over to cy, who has not acknowledged it.")
        assert "\n" not in said
        deck.link.say("rack-1", LinkChange(state="lost"))
        deck.clock.now += 5
        await deck.press("y")
        assert "As rack-1 told at 02:32:44 UTC; it does not answer now." in deck.app.clipboard


async def test_a_summary_of_what_is_well() -> None:
    link = FakeLink(rack(), van())
    tells(link, report(bad=False))
    async with opened(link) as deck:
        await deck.shows("No signal of the treatment rose")
        await deck.press("y")
        assert deck.app.clipboard == (
            "int4_v1: 10 % of users on the treatment, as good as the control, on 1 gateway (rack-1)."
        )


async def test_the_next_experiment_starts_from_nothing() -> None:
    link = FakeLink(rack(broken_experiment(), experiment("other")), van())
    tells(link, report())
    tells(link, report(experiment("other"), bad=False))
    async with opened(link) as deck:
        await deck.shows(ROSE)
        await deck.press("k", "tab")
        await deck.shows("other on rack-1", "No signal of the treatment rose")
        assert ROSE not in deck.text


async def test_an_experiment_that_is_gone_is_said_to_be() -> None:
    link = broken()
    async with opened(link) as deck:
        await deck.shows(ROSE)
        link.say("rack-1", Snapshot(revision=3, status=replace(rack(), experiments=())))
        await deck.shows("WARN !  it does not run here any more")
        await deck.press("y")
        assert deck.app.clipboard == "int4_v1: it does not run here any more."


@pytest.mark.parametrize("options", [{"readonly": True}, {}])
async def test_who_may_change_nothing_reads_all_of_it_and_replays_nothing(options: dict[str, Any]) -> None:
    link = broken(role="operator" if options else "viewer")
    async with opened(link, **options) as deck:
        await deck.shows(ROSE, "read-only")
        assert "p replay" not in deck.text
        for key in ("p", "E"):
            await deck.press(key)
            await deck.shows(f"{key} is not available: ")
        assert deck.screen.NAME == "incident"
        await deck.press("v", "v")
        await deck.shows("23 flagged prompts are held", "They cannot be asked again from here")
        assert link.asked == []
        await deck.press("e")
        await deck.dialog("export")


async def test_while_nothing_changes_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(broken(), size=(120, 36)) as deck:
        await deck.shows(ROSE)
        await deck.pilot.pause()
        drawn: list[str | None] = []
        refresh = Lines.refresh

        def spy(self: Lines, *regions: Any, **how: Any) -> Lines:
            drawn.append(self.id)
            return refresh(self, *regions, **how)

        monkeypatch.setattr(Lines, "refresh", spy)
        deck.draw()
        deck.draw()
        assert drawn == []
        deck.link.say("rack-1", AlarmEvent(revision=2, alarm=Alarm(id=9, t=LATER, level="fail", text="loud")))
        deck.draw()
        assert "timeline" in drawn


async def test_another_zone_is_named_beside_the_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    async with opened(broken()) as deck:
        await deck.shows("TIMELINE  12 lines   UTC+2", "04:17:31  rollback")
        await deck.press("v")
        await deck.shows("TRENDS  UTC+2", "^ 04:13 onset", ROSE)
