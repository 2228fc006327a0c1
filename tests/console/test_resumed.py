"""A console finds rollbacks that are pending on its machine: it says so, and sends them on."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_console.pending import PendingFile
from quantdeck_core.errors import UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import ExperimentEvent, Snapshot
from quantdeck_core.protocol.requests import Applied, Rollback
from quantdeck_core.rollout.state import RolloutState
from quantdeck_core.rollout.wish import KEPT_S, Wish
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import NOW, experiment, rack, replace, van
from support.waiting import eventually

HALF = experiment(weight_bp=5_000)
LOST = UnreachableError("rack-1 did not answer within 5 s.", "It is tried again.")
BACK = replace(HALF, state=RolloutState(stage="rollback", since=NOW, began=NOW, reason="odd", by="bo", revision=4))
PENDING = "! rollback of int4_v1 (bo 02:16:44): pending on rack-1; kept until applied"


def wish(**changes: object) -> Wish:
    one = Wish(
        experiment="int4_v1", host="rack-1", request_id="r-1", by="bo", reason="odd", asked=NOW - 60, made=NOW - 60
    )
    return replace(one, **changes)


@pytest.fixture
def file(tmp_path: Path) -> PendingFile:
    """What another console has left."""
    kept = PendingFile(tmp_path / "pending.json")
    kept.change([wish()])
    return kept


async def test_it_is_said_and_sent_on_until_the_host_has_it(file: PendingFile) -> None:
    link = FakeLink(rack(HALF), van())
    link.answers["rack-1"] = [LOST, Applied(revision=4)]
    async with running(link, pending=file) as deck:
        await deck.shows(PENDING)
        await eventually(lambda: len(link.asked) == 2)
        change = link.asked[0][2]
        assert isinstance(change, Rollback)
        assert (change.request_id, change.by, change.reason) == ("r-1", "bo", "odd")
        assert link.asked[1][2] == change
        # Acknowledged by the agent, and not seen there yet: not done.
        await deck.shows(PENDING)
        assert file.read() == (wish(),)
        link.say("rack-1", ExperimentEvent(revision=2, experiment=BACK))
        await deck.shows("int4_v1 on rack-1: everyone is on the control")
        await deck.hides("kept until applied")
        await eventually(lambda: file.read() == ())


async def test_it_stays_on_the_screen_of_every_pane_while_the_host_is_away(file: PendingFile) -> None:
    link = FakeLink(van(experiments=(HALF,)), hosts=("rack-1", "van-7"))
    async with running(link, pending=file) as deck:
        await deck.shows(PENDING)
        await deck.press("4")
        await deck.shows("int4_v1 on van-7", PENDING)
        assert link.asked == []
        link.say("rack-1", LinkChange(state="connected", role="operator"))
        link.say("rack-1", Snapshot(revision=1, status=rack(HALF)))
        await eventually(lambda: [host for host, _, _ in link.asked] == ["rack-1"])


async def test_a_console_that_may_change_nothing_says_it_and_sends_nothing(file: PendingFile) -> None:
    link = FakeLink(rack(HALF), van())
    async with running(link, pending=file, readonly=True) as deck:
        await deck.shows(PENDING)
        link.say("rack-1", ExperimentEvent(revision=2, experiment=BACK))
        await deck.hides("kept until applied")
        assert link.asked == []
        assert file.read() == (wish(),)


async def test_what_was_cleared_since_is_not_carried_out(file: PendingFile) -> None:
    cleared = replace(HALF, state=replace(HALF.state, cleared=NOW - 5))
    link = FakeLink(rack(cleared), van())
    async with running(link, pending=file) as deck:
        await deck.shows("int4_v1 on rack-1: not carried out: somebody has cleared a rollback there")
        await eventually(lambda: file.read() == ())
        assert link.asked == []


async def test_what_is_too_old_is_not_carried_out_and_stays_on_the_screen(file: PendingFile) -> None:
    file.change([wish(asked=NOW - KEPT_S - 60)])
    link = FakeLink(rack(HALF), van())
    async with running(link, pending=file) as deck:
        await deck.shows("! NOT rolled back: int4_v1 on rack-1; bo asked over 24 h ago")
        await eventually(lambda: file.read() == ())
        assert link.asked == []


async def test_what_is_not_a_persons_or_not_of_this_fleet_is_left_to_the_guard(file: PendingFile) -> None:
    left = (wish(source="van-7"), wish(host="elsewhere", request_id="r-2"))
    file.change(left, drop=[wish()])
    link = FakeLink(rack(HALF), van())
    async with running(link, pending=file) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("done: everyone is on the control")
        await eventually(lambda: file.read() == left)
        assert len(link.asked) == 1
        await deck.press("escape")
        assert "kept until applied" not in deck.text


async def test_a_damaged_file_is_said(file: PendingFile) -> None:
    file.path.write_text("[{")
    async with running(FakeLink(rack(HALF), van()), pending=file) as deck:
        await deck.shows("x Cannot keep what is pending: ")
