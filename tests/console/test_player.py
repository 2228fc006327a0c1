"""A recording as a fleet: its pace, its clock, and going forth and back in it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_console.recording import checkpoints as checkpoints_module
from quantdeck_console.recording import played_client
from quantdeck_console.recording.played_client import NotRecordedError
from quantdeck_console.recording.player import PlayedFleet
from quantdeck_console.recording.records import Answered, LogHeard, zone_of
from quantdeck_console.recording.tape import Tape
from quantdeck_core.errors import ErrorInfo, ForbiddenError, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import FleetState, apply
from quantdeck_core.protocol.alerts import PageList
from quantdeck_core.protocol.events import Heartbeat, SampleEvent
from quantdeck_core.protocol.logs import LogLine
from quantdeck_core.protocol.requests import Rollback
from support.fleets import NOW, rack, sample, van
from support.recordings import answered, at, connected, logged, recorded
from support.waiting import eventually


class Shown:
    """Somebody who looks at a recording."""

    def __init__(self, play: PlayedFleet) -> None:
        self.play = play
        self.state = FleetState.of(play.hosts)
        self.heard: list[tuple[float, str, Any]] = []
        self.wound = 0

    def listen(self, host: str, update: Any) -> None:
        now = self.play.clock()
        self.heard.append((now - NOW, host, update))
        self.state = apply(self.state, host, update, now)

    def restore(self, state: FleetState) -> None:
        self.state = state
        self.wound += 1

    async def jump(self, seconds: float) -> None:
        before = self.wound
        self.play.jump(seconds)
        await eventually(lambda: self.wound > before)


@contextlib.asynccontextmanager
async def shown(path: Path, *, paused: bool = True, **how: Any) -> AsyncIterator[Shown]:
    """A recording that is played; where it is paused, time moves by jumps alone."""
    play = PlayedFleet(Tape(path), **how)
    somebody = Shown(play)
    play.fleet, play.wound = lambda: somebody.state, somebody.restore
    if paused:
        play.pause()
    playing = asyncio.create_task(play.run(somebody.listen))
    try:
        yield somebody
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing


def readings(path: Path, count: int, *, apart: float = 10.0) -> Path:
    """A host whose load is the number of its reading."""
    events = [
        at(n * apart, "van-7", SampleEvent(revision=n, sample=sample(t=NOW + n * apart, load_1m=float(n))))
        for n in range(1, count)
    ]
    return recorded(path, ["van-7"], [*connected(van()), *events], ended=count * apart)


def load(somebody: Shown) -> float:
    status = somebody.state.hosts["van-7"].status
    assert status is not None
    return status.sample.load_1m


async def test_it_keeps_the_recorded_pace_and_ends_at_its_end(tmp_path: Path) -> None:
    records = [*connected(van()), at(0.3, "van-7", Heartbeat(revision=2)), at(0.6, "van-7", Heartbeat(revision=3))]
    path = recorded(tmp_path / "r", ["van-7"], records, ended=0.9)
    async with shown(path, paused=False) as somebody:
        began = time.monotonic()
        await eventually(lambda: len(somebody.heard) == 4)
        assert time.monotonic() - began >= 0.59
        assert [round(t, 3) for t, _, _ in somebody.heard] == [0.0, 0.0, 0.3, 0.6]
        await eventually(lambda: somebody.play.playing.ended)
        assert somebody.play.clock() == NOW + 0.9


async def test_ten_times_as_fast(tmp_path: Path) -> None:
    records = [*connected(van()), at(20, "van-7", Heartbeat(revision=2))]
    async with shown(recorded(tmp_path / "r", ["van-7"], records), paused=False, speed=100.0) as somebody:
        await eventually(lambda: len(somebody.heard) == 3, seconds=10)
        assert somebody.heard[-1][0] == 20.0


async def test_time_never_passes_what_was_not_shown_yet(tmp_path: Path) -> None:
    ticks = [0.0]
    async with shown(readings(tmp_path / "r", 5), paused=False, monotonic=lambda: ticks[0]) as somebody:
        await eventually(lambda: len(somebody.heard) == 2)
        ticks[0] += 3600.0  # the process was stopped for an hour
        assert somebody.play.clock() == NOW + 10
        somebody.play.pause()
        await eventually(lambda: len(somebody.heard) == 3)
        assert (somebody.heard[2][0], somebody.play.clock()) == (10, NOW + 10)
        somebody.play.pause()
        ticks[0] += 4.0
        assert somebody.play.clock() == NOW + 14


async def test_a_pause_holds_time(tmp_path: Path) -> None:
    async with shown(readings(tmp_path / "r", 4)) as somebody:
        await eventually(lambda: len(somebody.heard) == 2)
        held = somebody.play.clock()
        await asyncio.sleep(0.05)
        assert somebody.play.clock() == held == NOW
        assert somebody.play.playing.paused
        somebody.play.pause()
        await eventually(lambda: somebody.play.clock() > held)


async def test_jumps_show_the_fleet_as_it_was_and_ring_for_nothing(tmp_path: Path) -> None:
    async with shown(readings(tmp_path / "r", 30)) as somebody:
        await eventually(lambda: len(somebody.heard) == 2)
        await somebody.jump(60)
        assert (load(somebody), somebody.play.clock()) == (6.0, NOW + 60)
        await somebody.jump(65)
        assert (load(somebody), somebody.play.clock()) == (12.0, NOW + 125)
        assert somebody.state.hosts["van-7"].heard_at == NOW + 120
        await somebody.jump(-60)
        assert (load(somebody), somebody.play.clock()) == (6.0, NOW + 65)
        await somebody.jump(-600)
        assert somebody.play.clock() == NOW
        assert somebody.state.hosts["van-7"].link.state == "connected"
        await somebody.jump(10_000)
        assert (load(somebody), somebody.play.clock()) == (29.0, NOW + 300)
        assert somebody.play.playing.ended
        await somebody.jump(-60)
        assert (load(somebody), somebody.play.playing.ended) == (24.0, False)
        assert len(somebody.heard) == 2


async def test_after_a_jump_it_plays_on_from_there(tmp_path: Path) -> None:
    records = [*connected(van()), *(at(60 + n / 20, "van-7", Heartbeat(revision=n)) for n in range(5))]
    async with shown(recorded(tmp_path / "r", ["van-7"], records), paused=False) as somebody:
        await eventually(lambda: len(somebody.heard) == 2)
        await somebody.jump(60)
        await eventually(lambda: len(somebody.heard) == 2 + 4)
        await somebody.jump(-60)
        assert somebody.play.clock() - NOW < 5


async def test_jumps_that_follow_each_other_add_up(tmp_path: Path) -> None:
    async with shown(readings(tmp_path / "r", 30)) as somebody:
        for _ in range(3):
            somebody.play.jump(60)
        somebody.play.jump(-60)
        await eventually(lambda: somebody.wound and somebody.play.playing.to is None)
        assert somebody.play.clock() == NOW + 120


@settings(max_examples=30)
@given(jumps=st.lists(st.sampled_from([-200, -60, -7, 0, 3, 60, 110]), max_size=12), every=st.sampled_from([1.0, 60.0]))
def test_wherever_it_is_wound_to_the_fleet_is_as_if_it_had_been_played(
    jumps: list[int], every: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = readings(tmp_path_factory.mktemp("r") / "r.gz", 30)

    async def go() -> None:
        async with shown(path) as somebody:
            somebody.play._checkpoints._every_s = every
            for jump in jumps:
                await somebody.jump(jump)
                passed = somebody.play.clock() - NOW
                assert load(somebody) == (min(29, passed // 10) or sample().load_1m)

    asyncio.run(go())


async def test_checkpoints_grow_sparse_where_they_would_take_too_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints_module, "MOST_BYTES", 5_000)
    async with shown(readings(tmp_path / "r", 600)) as somebody:
        await somebody.jump(10_000)
        kept = somebody.play._checkpoints._kept
        assert 0 < sum(len(one.views) for one in kept) <= 5_000
        await somebody.jump(-3_000)
        assert load(somebody) == 300.0


async def test_answers_are_those_of_then(tmp_path: Path) -> None:
    records = [
        *connected(van()),
        answered(10, "van-7", "GET /v1/alerts", PageList(now=1.0)),
        Answered(t=NOW + 30, host="van-7", asked="GET /v1/alerts", same=True),
        answered(120, "van-7", "GET /v1/alerts", PageList(now=2.0)),
        Answered(
            t=NOW + 140,
            host="van-7",
            asked="GET /v1/alerts",
            error=ErrorInfo(code="x", title="X", detail="no"),
            status=404,
        ),
    ]
    async with shown(recorded(tmp_path / "r.gz", ["van-7"], records, ended=300)) as somebody:

        async def alerts() -> float:
            return (await somebody.play.ask("van-7", lambda client: client.alerts())).now

        with pytest.raises(NotRecordedError, match="This was not asked on van-7 until 02:17:44"):
            await alerts()
        await somebody.jump(12)
        assert await alerts() == 1.0
        await somebody.jump(40)
        assert await alerts() == 1.0
        await somebody.jump(58)
        with pytest.raises(NotRecordedError, match="asked last at 02:18:14, and not again until 02:19:34"):
            await alerts()
        await somebody.jump(20)
        assert await alerts() == 2.0
        await somebody.jump(10)
        with pytest.raises(RemoteError) as caught:
            await alerts()
        assert (caught.value.detail, caught.value.status) == ("no", 404)
        await somebody.jump(-120)
        assert await alerts() == 1.0


async def test_nothing_can_be_changed(tmp_path: Path) -> None:
    async with shown(readings(tmp_path / "r", 3)) as somebody:
        ask = Rollback(request_id="1", reason="because")
        with pytest.raises(ForbiddenError, match="This is a recording: nothing can be changed in it"):
            await somebody.play.ask("van-7", lambda client: client.roll_back("int4_v1", ask))


async def test_what_was_left_out_says_so(tmp_path: Path) -> None:
    withheld = Answered(t=NOW, host="van-7", asked="GET /v1/alerts", withheld=True)
    async with shown(recorded(tmp_path / "r", ["van-7"], [*connected(van()), withheld])) as somebody:
        await eventually(lambda: len(somebody.heard) == 2)
        with pytest.raises(NotRecordedError, match="may hold what users wrote"):
            await somebody.play.ask("van-7", lambda client: client.alerts())


async def read(somebody: Shown, *, follow: bool, lines: int = 100, into: list[LogLine] | None = None) -> list[LogLine]:
    found = [] if into is None else into

    async def go(client: Any) -> None:
        async for line in client.lines(f"/v1/logs/engine:a.1?lines={lines}&follow={int(follow)}", 5.0):
            found.append(played_client.msgspec.json.decode(line, type=LogLine))

    await somebody.play.ask("van-7", go)
    return found


async def test_logs_have_their_end_of_then_and_go_on(tmp_path: Path) -> None:
    opened = LogHeard(t=NOW, host="van-7", source="engine:a.1", state="opened")
    lines = [logged(n * 10, "van-7", "engine:a.1", f"line {n}") for n in range(1, 10)]
    path = recorded(tmp_path / "r", ["van-7"], [*connected(van()), opened, *lines], ended=200)
    async with shown(path) as somebody:
        await somebody.jump(35)
        assert [line.text for line in await read(somebody, follow=False)] == ["line 1", "line 2", "line 3"]
        assert [line.text for line in await read(somebody, follow=False, lines=1)] == ["line 3"]
        followed: list[LogLine] = []
        following = asyncio.create_task(read(somebody, follow=True, into=followed))
        await eventually(lambda: len(followed) == 4)
        assert [(line.text, line.old) for line in followed[2:]] == [("line 3", True), ("", False)]
        await somebody.jump(20)
        await eventually(lambda: len(followed) == 6)
        assert [(line.text, line.old) for line in followed[4:]] == [("line 4", False), ("line 5", False)]
        await somebody.jump(-30)
        with pytest.raises(UnreachableError, match="wound back"):
            await following
        assert [line.text for line in await read(somebody, follow=False)] == ["line 1", "line 2"]


async def test_a_log_that_was_closed_says_that_lines_may_be_missing(tmp_path: Path) -> None:
    closed = LogHeard(t=NOW + 1, host="van-7", source="engine:a.1", state="closed")
    records = [*connected(van()), logged(0, "van-7", "engine:a.1", "one"), closed]
    async with shown(recorded(tmp_path / "r", ["van-7"], records, ended=9)) as somebody:
        with pytest.raises(NotRecordedError, match=r"agent of van-7 was not read until 02:17:44"):
            await somebody.play.ask("van-7", lambda client: anext(client.lines("/v1/logs/agent", 5.0)))
        await somebody.jump(5)
        assert [line.lost_unknown for line in await read(somebody, follow=False)] == [False, True]


async def test_damage_is_counted_once_and_said_with_its_line(tmp_path: Path) -> None:
    path = readings(tmp_path / "r", 20)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[6] = b"not json\n"
    lines[9] = lines[9].replace(b'"van-7"', b'"van-8"', 1)
    path.write_bytes(b"".join(lines))
    async with shown(path) as somebody:
        for jump in (500, -500, 500):
            await somebody.jump(jump)
        assert somebody.play.playing.damaged == 2
        assert somebody.play.playing.damage == "line 10 is about a host that is not of this fleet"
        assert load(somebody) == 19.0


async def test_recorded_time_that_goes_back_is_held(tmp_path: Path) -> None:
    records = [*connected(van()), at(50, "van-7", Heartbeat(revision=2)), at(20, "van-7", LinkChange(state="lost"))]
    async with shown(recorded(tmp_path / "r", ["van-7"], records)) as somebody:
        await somebody.jump(40)
        assert somebody.state.hosts["van-7"].link.state == "connected"
        await somebody.jump(20)
        assert somebody.play.clock() == NOW + 50
        assert somebody.state.hosts["van-7"].link.state == "lost"


def test_a_recording_of_a_large_fleet_is_read_in_one_go_by_who_cannot_wind(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", ["rack-1", "van-7"], connected(rack(), van()), ended=1)
    play = PlayedFleet(Tape(path), speed=1000.0)
    somebody = Shown(play)
    asyncio.run(play.run(somebody.listen))
    assert len(somebody.heard) == 4


@pytest.mark.parametrize(
    ("zone", "text"),
    [("UTC", "<+0000>-00:00"), ("Asia/Kolkata", "<+0530>-05:30"), ("America/St_Johns", "<-0230>+02:30")],
)
def test_the_zone_is_one_that_the_c_library_takes(monkeypatch: pytest.MonkeyPatch, zone: str, text: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    shown_there = time.strftime("%H:%M", time.localtime(NOW))
    assert zone_of(NOW) == text
    monkeypatch.setenv("TZ", text)
    time.tzset()
    assert time.strftime("%H:%M", time.localtime(NOW)) == shown_there
