"""The guard on a fleet in memory: what it says and asks where a disk, a role or a weight is not as usual."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quantdeck_console.guard import Guard
from quantdeck_console.guard_report import GuardEvent
from quantdeck_console.pending import PendingFile
from quantdeck_core.errors import UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import ExperimentEvent
from quantdeck_core.protocol.requests import Applied, ChangeWeight, Rollback
from quantdeck_core.rollout.state import RolloutState
from support.fake_link import FakeLink
from support.fleets import NOW, experiment, rack, replace, van
from support.waiting import eventually

BACK = experiment(state=RolloutState(stage="rollback", since=NOW - 13, began=NOW - 13, reason="loops", by="quantdeck"))
LOST = UnreachableError("van-7 did not answer within 5 s.", "It is tried again.")


@dataclass
class Watch:
    """A guard that runs, and what it said."""

    link: FakeLink
    events: list[GuardEvent] = field(default_factory=list)

    async def says(self, event: str, host: str, more: str = "") -> GuardEvent:
        """Wait for an event."""

        def found() -> GuardEvent | None:
            fits = (one for one in self.events if (one.event, one.host) == (event, host) and more in one.line())
            return next(fits, None)

        return await eventually(found, what=f"{event} of {host} in {self.events}")


@contextlib.asynccontextmanager
async def watching(link: FakeLink, file: Path, **how: Any) -> AsyncIterator[Watch]:
    watch = Watch(link)
    guard = Guard(link, PendingFile(file), watch.events.append, by="guard", **how)
    task = asyncio.create_task(guard.run())
    try:
        yield watch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def van_with(one: Any) -> Any:
    return van(experiments=(one,))


async def test_a_latch_is_carried_and_done_is_said_when_the_host_says_so(tmp_path: Path) -> None:
    link = FakeLink(rack(BACK), van_with(experiment()))
    async with watching(link, tmp_path / "pending.json") as watch:
        await watch.says("rolled-back", "rack-1", "rolled back by quantdeck: loops")
        await watch.says("asked", "van-7", "rolled back on rack-1: loops")
        await eventually(lambda: link.asked)
        [(host, _, change)] = link.asked
        assert isinstance(change, Rollback)
        assert (host, change.revision, round(change.began)) == ("van-7", 3, NOW - 13)
        assert not [one for one in watch.events if one.event == "effective"]
        back = replace(BACK, state=replace(BACK.state, revision=4))
        link.say("van-7", ExperimentEvent(revision=2, experiment=back))
        await watch.says("effective", "van-7")
        assert len(link.asked) == 1
        assert PendingFile(tmp_path / "pending.json").read() == ()


async def test_a_failure_is_tried_again_with_the_same_request(tmp_path: Path) -> None:
    link = FakeLink(rack(BACK), van_with(experiment()))
    link.answers["van-7"] = [LOST, Applied(revision=4, effective_ms=4.0)]
    async with watching(link, tmp_path / "pending.json") as watch:
        await watch.says("failed", "van-7", "it is tried again: van-7 did not answer")
        assert [one.host for one in PendingFile(tmp_path / "pending.json").read()] == ["van-7"]
        await eventually(lambda: len(link.asked) == 2)
        assert len({change.request_id for _, _, change in link.asked}) == 1


async def test_a_disk_that_refuses_keeps_no_rollback_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    link = FakeLink(rack(BACK), van_with(experiment()))
    async with watching(link, tmp_path / "file" / "pending.json") as watch:
        await watch.says("disk", "", "Cannot write")
        await eventually(lambda: link.asked)


async def test_who_may_only_look_is_told_so_and_asks_nothing(tmp_path: Path) -> None:
    link = FakeLink(rack(BACK), van_with(experiment()), role="viewer")
    async with watching(link, tmp_path / "pending.json") as watch:
        await watch.says("link", "van-7", "nothing can be asked of it: the connection has the role viewer")
        await watch.says("pending", "van-7")
        assert link.asked == []


async def test_weights_are_carried_only_where_the_lowest_is_to_win(tmp_path: Path) -> None:
    statuses = (rack(experiment(weight_bp=5_000)), van_with(experiment(weight_bp=500)))
    for lowest in (False, True):
        link = FakeLink(*statuses)
        async with watching(link, tmp_path / "pending.json", lowest=lowest) as watch:
            await watch.says("link", "van-7")
            if lowest:
                await watch.says("asked", "rack-1", "asked to go to 5 %: the lowest weight wins: 5 % on van-7")
                await eventually(lambda: link.asked)  # noqa: B023
        assert [(host, change.weight_bp) for host, _, change in link.asked if isinstance(change, ChangeWeight)] == (
            [("rack-1", 500)] if lowest else []
        )


async def test_what_hosts_say_reaches_the_terminal_as_text(tmp_path: Path) -> None:
    link = FakeLink(rack(replace(BACK, state=replace(BACK.state, reason="odd\x1b]52;c;aGk=\x07\nanswers"))))
    async with watching(link, tmp_path / "pending.json") as watch:
        said = await watch.says("rolled-back", "rack-1")
        assert said.line().isprintable()
        link.say("rack-1", LinkChange(state="lost", detail="gone"))
        await watch.says("link", "rack-1", "cannot be reached: gone")


async def test_once_ends_when_each_host_was_heard_or_given_up(tmp_path: Path) -> None:
    link = FakeLink(rack(experiment()), van_with(experiment()))
    events: list[GuardEvent] = []
    file = PendingFile(tmp_path / "pending.json")
    assert await asyncio.wait_for(Guard(link, file, events.append, by="guard").run(once=True), 10)
    link = FakeLink(rack(BACK), hosts=("rack-1", "van-7"))
    running = asyncio.create_task(Guard(link, file, events.append, by="guard").run(once=True))
    await eventually(lambda: file.read())
    link.say("van-7", LinkChange(state="lost", detail="gone"))
    assert not await asyncio.wait_for(running, 10)
    assert [one.host for one in file.read()] == ["van-7"]
