"""Pane 1: moving, filtering, opening, staleness, alarms."""

from __future__ import annotations

import pytest
from textual import events

from quantdeck_console.terminal import Display
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent, Heartbeat, SampleEvent
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import alarm, changed, experiment, gateway, rack, rolled_back, sample, van
from support.waiting import eventually


def fleet(*names: str) -> FakeLink:
    return FakeLink(*(van(name=name) for name in names))


def cursor(text: str) -> str:
    return next(line[1:].split()[0] for line in text.splitlines() if line.startswith("▌"))


async def test_the_cursor_moves_and_stays_with_its_host_when_the_order_changes() -> None:
    async with running(fleet("a", "b", "c")) as deck:
        assert cursor(deck.text) == "a"
        for key, host in (("j", "b"), ("down", "c"), ("j", "c"), ("k", "b"), ("G", "c"), ("g", "a"), ("j", "b")):
            await deck.press(key)
            assert cursor(deck.text) == host, key
        deck.link.say("c", LinkChange(state="lost", detail="gone"))
        await deck.shows("STALE ?")
        assert cursor(deck.text) == "b"


async def test_a_cursor_that_was_never_moved_is_on_the_worst_host() -> None:
    async with running(fleet("a", "b")) as deck:
        deck.link.say("b", LinkChange(state="refused", detail="host key changed"))
        await deck.shows("connection refused: host key changed")
        assert cursor(deck.text) == "b"


async def test_filter_and_inverted_filter() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        await deck.press("slash", *"fail", "enter")
        await deck.hides(" van-7")
        await deck.press("slash", "!", *"fail", "enter")
        await deck.hides(" FAIL x  no GPU")
        assert " van-7" in deck.text
        await deck.press("escape")
        await deck.shows(" rack-1", " van-7")
        await deck.press("slash", *"zzz", "enter")
        await deck.shows("no host matches 'zzz'")


async def test_keys_typed_into_the_filter_are_text() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await deck.press("slash", "R", "q", "w")
        await deck.shows("no host matches 'Rqw'")
        assert deck.screen.NAME == "fleet"


async def test_what_was_typed_ahead_of_the_filter_is_in_it() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        for key in ("slash", "R", "q", "w"):
            deck.app.post_message(events.Key(key, "/" if key == "slash" else key))
        await deck.shows("filter: Rqw", "no host matches 'Rqw'")
        assert deck.screen.NAME == "fleet"


async def test_a_lost_link_goes_stale_and_shows_no_old_numbers() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        deck.link.say("rack-1", LinkChange(state="lost", detail="connection reset"))
        deck.clock.now += 48
        deck.link.say("van-7", Heartbeat(revision=9))
        await deck.shows("? rack-1  link lost, silent for 48s: connection reset", "STALE ?", "48s")
        row = next(line for line in deck.text.splitlines() if line.startswith("▌rack-1"))
        assert "663" not in row
        assert "41%" not in row
        await deck.shows("as last heard 48s ago:")


async def test_silence_is_stale_even_while_the_link_seems_up() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        deck.clock.now += 12.5
        deck.link.say("van-7", Heartbeat(revision=9))
        await deck.shows("? rack-1  connected, but silent for 12s")
        deck.link.say("rack-1", Heartbeat(revision=9))
        await deck.shows("all quiet")


async def test_open_without_an_experiment_shows_the_host() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await deck.press("j", "enter")
        await eventually(lambda: deck.screen.NAME == "host")
        await deck.shows("cpu 12%", "4 cores")
        await deck.press("R")
        await deck.shows("no experiment on van-7: nothing to roll back")
        await deck.press("w")
        await deck.shows("no experiment on van-7: nothing to change")


async def test_number_keys_and_escape_change_panes() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        await deck.press("j", "4")
        await deck.shows("int4_v1 on rack-1", "CONTROL")
        await deck.press("1")
        await deck.shows("all quiet")
        await deck.press("4", "escape")
        await deck.shows("all quiet")


async def test_copy_takes_the_sentence_under_the_cursor() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        await deck.press("y")
        await deck.shows("copied: rack-1 FAIL x: int4_v1: rolled back 02:17:31")
        assert deck.app.clipboard.startswith("rack-1 FAIL x: int4_v1: rolled back 02:17:31: 47.1% of answers loop")


async def test_the_bell_rings_once_for_each_new_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(rack(rolled_back(), alarms=(alarm(1, "old"),)), van())) as deck:
        rings: list[int] = []
        monkeypatch.setattr(deck.app, "bell", lambda: rings.append(1))
        deck.link.say("rack-1", AlarmEvent(revision=2, alarm=alarm(2, "47.1% of answers\x1b]2;evil\x07 loop")))
        deck.link.say("rack-1", changed(rolled_back()))
        assert len(rings) == 1
        assert deck.app.terminal_title == "! rack-1: 47.1% of answers]2;evil loop"
        deck.link.say("rack-1", AlarmEvent(revision=3, alarm=alarm(3, "again")))
        assert len(rings) == 2
        deck.link.say("rack-1", changed(experiment()))
        deck.clock.now += 400
        for host, status in (("rack-1", rack()), ("van-7", van())):
            deck.link.say(host, SampleEvent(revision=9, sample=type(status.sample)(**_fields(status.sample, 400))))
        await eventually(lambda: deck.app.terminal_title == "quantdeck")


def _fields(reading: object, later: float) -> dict[str, object]:
    fields = {name: getattr(reading, name) for name in reading.__struct_fields__}  # type: ignore[attr-defined]
    return {**fields, "t": fields["t"] + later}


async def test_equal_updates_repaint_nothing() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        painted: list[object] = []
        for widget in deck.screen.query("*"):
            refresh = widget.refresh
            widget.refresh = lambda *regions, refresh=refresh, **more: (painted.append(regions), refresh(*regions))[1]  # type: ignore[method-assign]
        deck.link.say("rack-1", SampleEvent(revision=2, sample=sample()))
        deck.draw()
        assert painted == []
        deck.link.say("van-7", SampleEvent(revision=2, sample=sample(memory_used_bytes=2**33)))
        deck.draw()
        assert len(painted) == 1


async def test_ascii_mode_draws_only_ascii() -> None:
    display = Display(ascii=True, animations=False)
    async with running(FakeLink(rack(rolled_back()), van()), display=display) as deck:
        assert deck.text.isascii()
        await deck.press("enter")
        await deck.shows("CONTROL")
        assert deck.text.isascii()
        await deck.press("w")
        await deck.dialog("weight")
        assert deck.text.isascii()


async def test_a_terminal_that_becomes_too_small_says_so_and_recovers() -> None:
    async with running(FakeLink(rack(experiment(weight_bp=5_000)), van())) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.pilot.resize_terminal(60, 20)
        await deck.shows("the terminal is too small", "it is 60x20; enlarge it to 80x23")
        await deck.press("y")
        assert deck.link.asked == []
        await deck.pilot.resize_terminal(80, 24)
        await deck.shows("50/50 -> 100/0")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("done:")


async def test_many_hosts_scroll_with_the_cursor() -> None:
    async with running(fleet(*(f"gpu-{number}" for number in range(200)))) as deck:
        await deck.press("G")
        assert cursor(deck.text) == "gpu-199"
        await deck.press("k", "k")
        assert cursor(deck.text) == "gpu-197"
        await deck.press("g")
        assert cursor(deck.text) == "gpu-0"


async def test_q_and_ctrl_c_leave() -> None:
    for keys in (("q",), ("ctrl+c",), ("w", "ctrl+c"), ("R", "ctrl+c")):
        async with running(FakeLink(rack(), van())) as deck:
            await deck.press(*keys)
            await eventually(lambda app=deck.app: not app._running)


async def test_arms_with_too_many_requests_are_named_the_worst_first() -> None:
    busy = rack(gateway=gateway(rungs={"int4_v1/control": 1, "int4_v1/treatment": 4}))
    async with running(FakeLink(busy), size=(120, 36)) as deck:
        await deck.shows("6 in flight  int4_v1/treatment: shed  int4_v1/control: queue")
