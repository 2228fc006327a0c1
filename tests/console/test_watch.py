"""The console where nothing can be drawn: a line whenever something changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from quantdeck_console.plain.watch import Watch
from quantdeck_core.errors import UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent, Heartbeat
from support.fake_link import Clock, FakeLink
from support.fleets import alarm, arm, changed, experiment, rack, rolled_back, van
from support.hostile import HOST, HostileLink
from support.waiting import eventually


class Watched:
    """A fleet that is watched, and what was said of it."""

    def __init__(self, link: FakeLink) -> None:
        self.link, self.clock, self.lines = link, Clock(), list[str]()
        self.watch = Watch(link, self.clock, self.lines.append)

    def say(self, host: str, update: object) -> list[str]:
        """Let a host say something; what is said of it."""
        before = len(self.lines)
        self.link.say(host, update)  # type: ignore[arg-type]
        self.watch.look()
        return self.lines[before:]


@contextlib.asynccontextmanager
async def watched(link: FakeLink) -> AsyncIterator[Watched]:
    one = Watched(link)
    running = asyncio.create_task(one.watch.run())
    try:
        await eventually(lambda: link._listener is not None and one.lines)
        one.watch.look()
        yield one
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_the_headline_first_and_then_only_changes() -> None:
    async with watched(FakeLink(rack(), van())) as one:
        assert one.lines[-1] == "02:17:44  all quiet: 2 hosts, 3 engines ready"
        assert one.say("van-7", Heartbeat(revision=2)) == []
        one.clock.now += 5
        lost = one.say("van-7", LinkChange(state="lost", detail="reset"))
        assert lost == ["02:17:49  STALE ?  van-7  link lost, silent for 5s: reset"]
        one.clock.now += 60
        one.say("rack-1", Heartbeat(revision=2))
        assert one.say("rack-1", Heartbeat(revision=2)) == []
        back = one.say("van-7", LinkChange(state="connected", role="operator"))
        assert back == [
            "02:18:49  OK       van-7  1 of 1 engines ready",
            "02:18:49  all quiet: 2 hosts, 3 engines ready",
        ]


async def test_silence_is_said_although_nothing_comes() -> None:
    async with watched(FakeLink(van())) as one:
        one.clock.now += 13
        await eventually(lambda: one.lines[-1] == "02:17:57  STALE ?  van-7  connected, but silent for 13s")


async def test_alarms_and_rollbacks_are_said_and_figures_are_no_news() -> None:
    async with watched(FakeLink(rack(), van())) as one:
        young = experiment(treatment=arm("treatment", 12))
        one.say("rack-1", changed(young))
        assert one.say("rack-1", changed(experiment(treatment=arm("treatment", 13)))) == []
        assert one.say("rack-1", changed(rolled_back())) == [
            "02:17:44  FAIL x   rack-1  int4_v1: rolled back 02:17:31:"
            " 47.1% of answers loop, limit 15%, 117.6x the control"
        ]
        assert one.say("rack-1", AlarmEvent(revision=3, alarm=alarm(7, "the room is hot"))) == [
            "02:17:44  alarm    rack-1  the room is hot"
        ]


async def test_a_link_that_fails_ends_it() -> None:
    class Broken(FakeLink):
        async def run(self, listener: object) -> None:
            raise UnreachableError("gone")

    with pytest.raises(UnreachableError):
        await Watch(Broken(van()), Clock(), lambda _: None).run()


async def test_lines_are_text() -> None:
    async with watched(HostileLink(0)) as one:
        one.link.more()  # type: ignore[attr-defined]
        one.say(HOST, LinkChange(state="lost", detail="\x1b[2J\n\u202e"))
        assert len(one.lines) >= 3
        assert not any(
            ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u2066\u2028"
            for line in one.lines
            for char in line
        )
