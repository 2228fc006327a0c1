"""The console on a recording: the same screens, at recorded time, and nothing that can be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_console.actions.registry import ACTIONS
from quantdeck_console.recording.player import PlayedFleet
from quantdeck_console.recording.recorder import Recorder
from quantdeck_console.recording.recording_link import RecordingLink
from quantdeck_console.recording.tape import Tape
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent, Heartbeat
from quantdeck_core.protocol.logs import LogLine, LogSource, LogSources
from support.decks import Deck, running
from support.fake_link import Clock, FakeLink
from support.fleets import alarm, changed, rack, rolled_back, van
from support.incidents import report
from support.latencies import distributions, latency_state
from support.pictures import SIZES, Pictures
from support.ptys import console, environment
from support.recordings import at, connected, recorded
from support.tmux import TMUX, WHY_NOT, terminal


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


@SIZES
async def test_pictures(picture: Pictures, size: tuple[int, int], tmp_path: Path) -> None:
    path = night(tmp_path / "night.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[8] = lines[8][:40] + b"\n"
    path.write_bytes(b"".join(lines))
    play = paused(path)
    async with running(play, play=play, size=size) as deck:
        await deck.shows("all quiet")
        await picture(deck, "playing-calm")
        await jumped(deck, "greater_than_sign", to="02:18:44")
        await deck.shows("1 damaged !", "line 9")
        await picture(deck, "playing-damaged")
        await jumped(deck, *["greater_than_sign"] * 4, to="02:22:04")
        deck.clock.now += 7
        await deck.press("enter")
        await deck.shows("END of the recording", "CONTROL")
        await picture(deck, "playing-end")


async def recorded_session(path: Path) -> None:
    """Somebody looks at the latencies, at a host, at an incident and at its logs, while it is recorded."""
    link = FakeLink(rack(), van())
    now = Clock()
    link.pages = {
        ("rack-1", "/v1/experiments/int4_v1/distributions"): distributions(),
        ("rack-1", "/v1/experiments/int4_v1/latency"): latency_state(),
        ("rack-1", "/v1/experiments/int4_v1/incident"): report(bad=False, findings=("All is well again.",)),
        ("rack-1", "/v1/logs"): LogSources(sources=(LogSource(source="engine:control.1", live=True),)),
    }
    lines = [LogLine(source="engine:control.1", old=True, text=f"line {n} [/b]") for n in range(3)]
    link.streams["rack-1", "/v1/logs/engine:control.1"] = [*lines, LogLine(source="engine:control.1")]
    recorder = Recorder(path, link.hosts, now)
    async with running(RecordingLink(link, recorder), background=recorder.run, clock=now) as deck:
        now.now += 10
        await deck.press("b")
        await deck.shows("TTFT", "p95")
        await deck.press("escape", "i")
        await deck.shows("All is well again.")
        now.now += 10
        await deck.press("escape", "l")
        await deck.shows("line 2 [/b]")
    now.now += 10
    recorder.close()


async def test_panes_show_what_was_asked_for_then(tmp_path: Path) -> None:
    await recorded_session(tmp_path / "night.gz")
    play = paused(tmp_path / "night.gz")
    async with running(play, play=play) as deck:
        await deck.shows("all quiet")
        await deck.press("b")
        await deck.shows("This was not asked on rack-1 until 02:17:44")
        await deck.press("greater_than_sign")
        await deck.shows("END of the recording", "TTFT", "p95")
        await deck.press("escape", "i")
        await deck.shows("All is well again.")
        await deck.press("escape", "l")
        await deck.shows("line 2 [/b]")
        await deck.press("less_than_sign")
        await deck.hides("line 2 [/b]")


@pytest.mark.skipif(TMUX is None, reason=WHY_NOT)
@pytest.mark.parametrize("term", ["screen-256color", "tmux-256color"])
async def test_it_plays_in_tmux(tmp_path: Path, term: str) -> None:
    path = night(tmp_path / "r")
    async with terminal(tmp_path, environment()) as tmux:
        tmux.command("set-option", "-g", "default-terminal", term)
        tmux.command("new-window", *console("--play", path))
        await tmux.shows("all quiet: 2 hosts", "PLAYING", "1-6 panes")
        tmux.keys(">")
        await tmux.shows("rolled back 02:17:31", "FAIL x")
        tmux.resize(120, 36)
        await tmux.shows("6 Bench")
        tmux.keys("q")
