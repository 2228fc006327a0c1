"""The console on a recording: the same screens, at recorded time, and nothing that can be changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quantdeck_console.actions.registry import ACTIONS
from quantdeck_console.recording.player import PlayedFleet
from quantdeck_console.recording.tape import Tape
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent, Heartbeat
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import alarm, changed, rack, rolled_back, van
from support.recordings import at, connected, recorded

Picture = Callable[[str, str], None]


def night(path: Path) -> Path:
    """A rollback a minute after the beginning, and a host that is lost two minutes later."""
    records = [
        *connected(rack(), van()),
        *(at(10 * n, host, Heartbeat(revision=2)) for n in range(1, 6) for host in ("rack-1", "van-7")),
        at(60, "rack-1", changed(rolled_back())),
        at(60.5, "rack-1", AlarmEvent(revision=9, alarm=alarm(7, "int4_v1: rolled back"))),
        *(at(60 + 10 * n, host, Heartbeat(revision=2)) for n in range(1, 12) for host in ("rack-1", "van-7")),
        at(175, "van-7", LinkChange(state="lost", detail="the SSH connection was closed")),
        *(at(60 + 10 * n, "rack-1", Heartbeat(revision=2)) for n in range(12, 20)),
    ]
    return recorded(path, ["rack-1", "van-7"], records, ended=260)


def paused(path: Path) -> PlayedFleet:
    play = PlayedFleet(Tape(path))
    play.pause()
    return play


async def jumped(deck: Deck, *keys: str, to: str) -> None:
    await deck.press(*keys)
    await deck.shows(to)


async def test_it_shows_then_and_says_so(tmp_path: Path) -> None:
    play = paused(night(tmp_path / "r"))
    async with running(play, play=play) as deck:
        await deck.shows("all quiet: 2 hosts", "PAUSED", "02:17:44", "Space pause  < 1 min back  > 1 min on")
        await jumped(deck, "greater_than_sign", to="02:18:44")
        await deck.shows("FAIL x", "rolled back 02:17:31")
        assert deck.app.terminal_title == "quantdeck"
        await jumped(deck, "greater_than_sign", "greater_than_sign", to="02:20:44")
        await deck.shows("STALE ?", "10s")
        await jumped(deck, "less_than_sign", "less_than_sign", "less_than_sign", to="02:17:44")
        await deck.shows("all quiet: 2 hosts")
        await jumped(deck, *["greater_than_sign"] * 6, to="02:22:04")
        await deck.shows("END of the recording", "STALE ?", "90s")
        await deck.press("space")
        await deck.shows("END of the recording")


async def test_it_plays_at_its_speed_until_it_is_stopped(tmp_path: Path) -> None:
    play = PlayedFleet(Tape(night(tmp_path / "r")), speed=20)
    async with running(play, play=play) as deck:
        await deck.shows("PLAYING x20")
        await deck.shows("rolled back 02:17:31")
        await deck.press("space")
        await deck.shows("PAUSED")


async def test_an_alarm_of_the_recording_rings(tmp_path: Path) -> None:
    play = PlayedFleet(Tape(night(tmp_path / "r")), speed=50)
    async with running(play, play=play) as deck:
        await deck.shows("rolled back")
        assert deck.app.terminal_title == "! rack-1: int4_v1: rolled back"


async def test_nothing_can_be_changed_and_every_key_says_why(tmp_path: Path) -> None:
    play = paused(night(tmp_path / "r"))
    async with running(play, play=play) as deck:
        for key in ("w", "R"):
            await deck.press(key)
            await deck.shows("this is a recording: nothing can be changed in it")
            assert deck.screen.NAME == "fleet"
        await deck.press("enter")
        await deck.shows("CONTROL", "PAUSED")
        await deck.press("c")
        assert deck.screen.NAME == "experiment"
        deck.clock.now += 7
        await deck.press("colon")
        await deck.dialog("palette")
        await deck.shows("wind the recording a minute back")
        assert "put everyone back" not in deck.text


async def test_its_keys_are_nowhere_else() -> None:
    async with running(FakeLink(rack(), van())) as deck:
        for key in ("space", "less_than_sign", "greater_than_sign"):
            await deck.press(key)
        assert "not available" not in deck.text
        assert "1 min back" not in deck.text
        await deck.press("colon")
        await deck.dialog("palette")
        assert "wind the recording" not in deck.text
    assert all(not action.dangerous for action in ACTIONS if action.playing)


async def test_help_has_its_keys(tmp_path: Path) -> None:
    play = paused(night(tmp_path / "r"))
    async with running(play, play=play, size=(100, 60)) as deck:
        await deck.press("question_mark")
        await deck.shows("wind the recording a minute back", "stop the recording, or let it go on")


async def test_a_sentence_in_the_footer_goes_by_the_time_of_who_sits_here(tmp_path: Path) -> None:
    play = paused(night(tmp_path / "r"))
    async with running(play, play=play) as deck:
        await deck.press("w")
        await deck.shows("this is a recording")
        deck.clock.now += 7
        await deck.shows("Space pause")


async def test_damage_is_said_with_its_line_and_counted(tmp_path: Path) -> None:
    path = night(tmp_path / "night.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[8] = lines[8][:40] + b"\n"
    path.write_bytes(b"".join(lines))
    play = paused(path)
    async with running(play, play=play) as deck:
        assert "damaged" not in deck.text
        await jumped(deck, "greater_than_sign", to="02:18:44")
        await deck.shows("! night.jsonl: line 9 cannot be read: JSON is malformed", "1 damaged !")


async def test_a_resize_while_it_plays(tmp_path: Path) -> None:
    play = paused(night(tmp_path / "r"))
    async with running(play, play=play, size=(120, 36)) as deck:
        await deck.shows("PAUSED")
        await deck.pilot.resize_terminal(80, 24)
        await deck.shows("PAUSED", "02:17:44")


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_pictures(picture: Picture, size: tuple[int, int], tmp_path: Path) -> None:
    path = night(tmp_path / "night.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[8] = lines[8][:40] + b"\n"
    path.write_bytes(b"".join(lines))
    play = paused(path)
    async with running(play, play=play, size=size) as deck:
        name = f"{size[0]}x{size[1]}"
        await deck.shows("all quiet")
        picture(f"playing-calm-{name}", deck.app.export_screenshot())
        await jumped(deck, "greater_than_sign", to="02:18:44")
        await deck.shows("1 damaged !", "line 9")
        picture(f"playing-damaged-{name}", deck.app.export_screenshot())
        await jumped(deck, *["greater_than_sign"] * 4, to="02:22:04")
        deck.clock.now += 7
        await deck.press("enter")
        await deck.shows("END of the recording", "CONTROL")
        picture(f"playing-end-{name}", deck.app.export_screenshot())
