"""`R` then `y`: what it says, what it takes, and that it is never called done too early."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quantdeck_console.actions.banner import banner
from quantdeck_console.actions.rollback import RollbackRun
from quantdeck_console.pending import PendingFile
from quantdeck_console.screens import dialog
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.events import ExperimentEvent
from quantdeck_core.protocol.requests import Applied, Rollback
from support.decks import running
from support.fake_link import Clock, FakeLink
from support.fleets import experiment, rack, replace, rolled_back, van
from support.waiting import eventually

HALF = experiment(weight_bp=5_000)
APPLIED = Applied(revision=5, effective_ms=4.0)
LOST = UnreachableError("van-7 did not answer within 5 s.", "It is tried again.")


def two_gateways() -> FakeLink:
    return FakeLink(rack(HALF), van(experiments=(experiment(weight_bp=2_000),)))


async def test_it_says_what_it_will_do_and_y_does_it_once() -> None:
    async with running(FakeLink(rack(HALF), van())) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.shows("Everyone goes back to the control, tiny-f16, on 1 gateway", "rack-1", "50/50 -> 100/0")
        await deck.shows("2 treated answers under way")
        deck.link.gate.clear()
        await deck.press("y", "y", "y")
        await deck.shows("sent")
        deck.link.gate.set()
        await deck.shows("done: everyone is on the control", "applied", "in 6.2 ms")
        [(host, name, change)] = deck.link.asked
        assert isinstance(change, Rollback)
        assert (host, name, change.by) == ("rack-1", "int4_v1", "ada")
        await deck.press("enter")
        assert deck.screen.NAME == "fleet"


@pytest.mark.parametrize("key", ["enter", "n", "escape", "space", "R"])
async def test_no_other_key_does_it(key: str) -> None:
    async with running(FakeLink(rack(HALF), van())) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press(key)
        assert deck.link.asked == []
        assert ("rollback" if key in ("enter", "space", "R") else "fleet") == deck.screen.NAME


async def test_keys_typed_before_the_dialog_was_seen_confirm_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(rack(HALF), van())) as deck:
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.press("R", "y", "y")
        await deck.shows("y roll back")
        assert deck.link.asked == []
        # Armed after the key was pressed, before it was looked at: still typed ahead.
        screen = deck.screen
        assert isinstance(screen, dialog.Dialog)
        screen.armed_at = deck.app.monotonic() + 3600
        await deck.press("y")
        assert deck.link.asked == []
        screen.armed_at = deck.app.monotonic()
        await deck.press("y")
        await deck.shows("done:")


async def test_keys_pressed_while_the_size_notice_covered_it_confirm_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(rack(HALF), van())) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.pilot.resize_terminal(60, 20)
        await deck.shows("the terminal is too small")
        await deck.press("y", "R", "n", "escape", "enter")
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.pilot.resize_terminal(80, 24)
        await deck.shows("y roll back   n Esc cancel")
        # Pressed before, and read only now.
        await deck.press("y")
        assert deck.link.asked == []
        assert deck.screen.NAME == "rollback"


async def test_typed_ahead_enter_does_not_apply_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(rack(HALF), van())) as deck:
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.press("w", "5", "enter")
        await deck.shows("50/50 -> 95/5")
        assert deck.link.asked == []


async def test_it_is_not_done_while_one_gateway_has_not_applied_it() -> None:
    link = two_gateways()
    link.answers["van-7"] = [LOST]
    async with running(link) as deck:
        deck.app.runs.rollback_of("int4_v1")
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.shows("on 2 gateways", "80/20 -> 100/0")
        await deck.press("y")
        await deck.shows("not done: applied on 1 of 2 gateways", "unreachable", "did not answer within 5 s")
        assert "done: everyone" not in deck.text
        await deck.press("escape")
        await deck.shows("! rollback of int4_v1: unreachable on van-7; trying again")
        await deck.press("R")
        await deck.shows("not done: applied on 1 of 2 gateways")
        link.answers["van-7"] = [APPLIED]
        await deck.shows("done: everyone is on the control, on 2 gateways")
        ids = {change.request_id for _, _, change in link.asked}
        assert len(ids) == 1
        assert [host for host, _, _ in link.asked].count("rack-1") == 1
        await deck.press("escape")
        await deck.hides("trying again")


async def test_without_an_answer_it_is_pending() -> None:
    link = two_gateways()
    link.gate.clear()
    async with running(link) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("sent")
        deck.clock.now += 5
        await deck.shows("pending", "for 5s", "not done: applied on 0 of 2 gateways")
        await deck.press("escape", "j", "enter")
        await deck.shows("! rollback of int4_v1: pending on rack-1, van-7; trying again", "CONTROL")


async def test_saved_by_the_agent_is_not_done_before_the_gateway_has_it() -> None:
    link = FakeLink(rack(HALF), van())
    link.answers["rack-1"] = [Applied(revision=5, pending=True, detail="saved, not effective yet: no answer")]
    async with running(link) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        deck.clock.now += 5
        await deck.shows("pending", "not done: applied on 0 of 1 gateway", "saved, not effective yet")
        assert "done: everyone" not in deck.text
        link.answers["rack-1"] = [APPLIED]
        await deck.shows("done: everyone is on the control")


async def test_a_refusal_is_shown_and_not_repeated() -> None:
    link = FakeLink(rack(HALF), van())
    info = ErrorInfo(code="forbidden", title="Not allowed", detail="You are a viewer.", hint="Ask an operator.")
    link.answers["rack-1"] = [RemoteError(info, 403)]
    async with running(link) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("refused", "You are a viewer. Ask an operator.", "not done: applied on 0 of 1 gateway")
        assert len(link.asked) == 1


async def test_a_host_out_of_reach_is_asked_all_the_same() -> None:
    link = FakeLink(rack(HALF), van())
    link.answers["rack-1"] = [LOST]
    async with running(link) as deck:
        deck.link.say("rack-1", LinkChange(state="lost", detail="reset"))
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("unreachable")


async def test_what_is_rolled_back_already_needs_no_dialog() -> None:
    async with running(FakeLink(rack(rolled_back()), van())) as deck:
        await deck.press("R")
        await deck.shows("int4_v1 is rolled back already")
        assert deck.screen.NAME == "fleet"


async def test_from_the_experiment_pane() -> None:
    async with running(FakeLink(rack(HALF), van())) as deck:
        await deck.press("enter", "R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("done:")


async def test_a_run_retries_with_the_same_request_until_applied() -> None:
    clock, link, drawn = Clock(), FakeLink(rack(HALF)), []
    link.answers["rack-1"] = [LOST, LOST, APPLIED]
    view = HostView(name="rack-1", status=rack(HALF))
    run = RollbackRun(link, "int4_v1", [view], by="ada", clock=clock, changed=lambda: drawn.append(1), retry_s=0.0)
    assert banner([run], (), (), clock.now) == ""
    task = asyncio.create_task(run.run())
    await eventually(lambda: run.applied)
    await task
    assert run.finished
    assert len(link.asked) == 3
    assert len({change.request_id for _, _, change in link.asked}) == 1
    assert drawn
    await run.run()
    assert len(link.asked) == 3


async def test_what_is_not_acknowledged_outlives_the_console(tmp_path: Path) -> None:
    link, file = two_gateways(), PendingFile(tmp_path / "pending.json")
    link.answers["van-7"] = [LOST]
    link.gate.clear()
    views = [HostView(name=one.name, status=one) for one in link.statuses]
    run = RollbackRun(link, "int4_v1", views, by="ada", clock=Clock(), changed=lambda: None, retry_s=3600, pending=file)
    task = asyncio.create_task(run.run())
    # Before anybody has answered: a console that is killed now loses nothing.
    await eventually(lambda: len(file.read()) == 2)
    assert {one.progress for one in run.targets} == {"sent"}
    link.gate.set()
    [wish] = await eventually(lambda: file.read() if len(file.read()) == 1 else None)
    assert (wish.host, wish.experiment, wish.request_id) == ("van-7", "int4_v1", link.asked[0][2].request_id)
    task.cancel()
    assert file.read() == (wish,)


async def test_what_was_applied_after_all_is_pending_no_more(tmp_path: Path) -> None:
    link, file = FakeLink(rack(HALF)), PendingFile(tmp_path / "pending.json")
    link.answers["rack-1"] = [LOST, APPLIED]
    link.gate.clear()
    view = HostView(name="rack-1", status=rack(HALF))
    run = RollbackRun(link, "int4_v1", [view], by="ada", clock=Clock(), changed=lambda: None, retry_s=0.0, pending=file)
    task = asyncio.create_task(run.run())
    await eventually(file.read)
    link.gate.set()
    await task
    assert file.read() == ()


async def test_a_disk_that_refuses_holds_no_rollback_up_and_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    link = two_gateways()
    link.answers["van-7"] = [LOST]
    async with running(link, pending=PendingFile(tmp_path / "file" / "pending.json")) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("applied on 1 of 2 gateways", "It ends with this console: Cannot write")


async def test_a_host_that_was_never_heard_may_run_it_and_is_asked() -> None:
    link = FakeLink(rack(HALF), hosts=("rack-1", "gpu-8", "gpu-9"))
    link.answers["gpu-8"] = [RemoteError(ErrorInfo(code="not-found", title="Not found", detail="No such."), 404)]
    link.answers["gpu-9"] = [LOST]
    async with running(link) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.shows("on 1 gateway:", "2 hosts not heard yet, asked too in case it runs there: gpu-8, gpu-9")
        await deck.press("y")
        await deck.shows("not done: applied on 1 of 1 gateway", "1 host not heard yet", "there: gpu-9")
        await deck.press("escape")
        await deck.shows("! rollback of int4_v1: not heard: gpu-9; trying again")
        link.answers["gpu-9"] = [APPLIED]
        await deck.press("R")
        await deck.shows("done: everyone is on the control, on 2 gateways")


async def test_the_dialog_of_many_gateways_fits_and_shows_what_is_not_through() -> None:
    hosts = [replace(rack(HALF), name=f"rack-{number}") for number in range(1, 31)]
    link = FakeLink(*hosts)
    link.answers["rack-30"] = [LOST]
    async with running(link) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.shows("on 30 gateways:", "and 23 more gateways", "y roll back   n Esc cancel")
        await deck.press("y")
        await deck.shows("not done: applied on 29 of 30 gateways", "unreachable", "did not answer within 5 s")
        await deck.shows("and 21 more gateways", "Esc hides this")


async def test_where_the_fleet_has_one_experiment_the_cursor_may_be_anywhere() -> None:
    link = FakeLink(rack(HALF), van())
    async with running(link) as deck:
        await deck.press("j", "R")
        await deck.dialog("rollback")
        await deck.shows("roll back int4_v1", "rack-1          50/50 -> 100/0")
        await deck.press("escape")
        link.say("rack-1", ExperimentEvent(revision=2, experiment=experiment("other_v1")))
        await deck.press("R")
        await deck.shows("no experiment on van-7: nothing to roll back")


async def test_many_gateways_are_asked_without_waiting_for_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(*(rack(HALF, name=f"rack-{number}") for number in range(200)))) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        drawings, draw = [], deck.app.redraw
        monkeypatch.setattr(deck.app, "redraw", lambda: (drawings.append(len(deck.link.asked)), draw()))
        await deck.press("y")
        await eventually(lambda: len(deck.link.asked) == 200 and bool(drawings), seconds=20)
        await deck.shows("done: everyone is on the control, on 200 gateways")
        assert drawings[0] == 200
