"""A plan is paused, resumed, promoted and aborted; an experiment ends; a rollback is rehearsed."""

from __future__ import annotations

from typing import Any

import pytest

from quantdeck_console.screens import dialog
from quantdeck_core.errors import ConflictError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.drill import Drill, DrillProbe, DrillRecord
from quantdeck_core.protocol.events import ExperimentEvent
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, Finish, SteerRollout
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, arm, experiment, plan, rack, replace, rolled_back, van

PLANNED = experiment(progress=plan())
FULL = experiment(weight_bp=10_000, progress=plan(phase="done", step=4))
PASSED = DrillRecord(t=NOW, by="ada", passed=True, probes=(DrillProbe(replica="control.1", ms=12.0),), push_ms=4.1)


def link_of(one: ExperimentStatus, *others: ExperimentStatus) -> FakeLink:
    return FakeLink(rack(one), *(van(name=f"van-{number}", experiments=(it,)) for number, it in enumerate(others)))


async def opened(deck: Deck, key: str) -> None:
    await deck.press("4")
    await deck.shows("CONTROL")
    await deck.press(key)
    await deck.dialog("form")


async def test_a_plan_is_paused_and_goes_on_with_the_same_key() -> None:
    async with running(link_of(PLANNED)) as deck:
        await opened(deck, "p")
        await deck.shows("pause the rollout of int4_v1", "10 % of users keep the treatment")
        await deck.press(*"lunch", "enter")
        await deck.shows("done: paused; the weight stays")
        paused = experiment(progress=plan(phase="paused", waits_for=("paused by ada: lunch",)))
        deck.link.say("rack-1", ExperimentEvent(revision=3, experiment=paused))
        await deck.press("escape", "p")
        await deck.dialog("form")
        await deck.shows("resume the rollout", "It goes on from 10 %. Next is 50 %.", "paused by ada: lunch")
        await deck.press("enter")
        await deck.shows("done: goes on")
        asks = [ask for _, _, ask in deck.link.asked]
        assert [(type(ask), ask.action, ask.reason, ask.revision) for ask in asks] == [
            (SteerRollout, "pause", "lunch", 3),
            (SteerRollout, "resume", "", 3),
        ]


async def test_promoting_says_what_is_skipped_and_who_moves_and_takes_a_reason() -> None:
    async with running(link_of(PLANNED)) as deck:
        await opened(deck, "P")
        await deck.shows(
            "skips 3 h 58 min of soak and 687 answers", "90/10 -> 50/50", "about 80 of 181 seen",
            "waits for: 1,313 of 2,000 answers heard",
        )  # fmt: skip
        await deck.press("enter")
        await deck.shows("Say why the rest of this step may be skipped")
        await deck.press(*"enough", "enter")
        await deck.shows("done: on to the next step")
        [(host, name, ask)] = deck.link.asked
        assert (host, name, ask.action, ask.reason) == ("rack-1", "int4_v1", "promote", "enough")


async def test_aborting_waits_for_y_and_does_it_once() -> None:
    async with running(link_of(PLANNED)) as deck:
        await opened(deck, "A")
        await deck.shows("90/10 -> 100/0", "2 treated answers under way", "No latch")
        await deck.press("enter", "n")
        assert deck.link.asked == []
        deck.link.gate.clear()
        await deck.press("y", "y", "y")
        await deck.shows("sent, waiting for the agent")
        deck.link.gate.set()
        await deck.shows("done: ended, everyone on the control")
        [(_, _, ask)] = deck.link.asked
        assert (ask.action, ask.reason) == ("abort", "aborted in the console by ada")


async def test_an_abort_onto_a_dead_control_is_announced_as_refused() -> None:
    dead = experiment(progress=plan(), control=arm("control", 500, ready=False))
    async with running(link_of(dead)) as deck:
        await opened(deck, "A")
        await deck.shows("the control is not ready, so this is refused; p pauses the plan")


@pytest.mark.parametrize("key", ["p", "P", "A"])
async def test_without_a_plan_it_says_how_to_start_one(key: str) -> None:
    async with running(link_of(experiment())) as deck:
        await deck.press("4")
        await deck.shows("CONTROL")
        await deck.press(key)
        await deck.shows(f"{key} is not available: no plan runs; `quantdeck rollout start FILE` begins one")
        assert deck.screen.NAME == "experiment"


async def test_only_what_waits_is_promoted() -> None:
    async with running(link_of(FULL)) as deck:
        await deck.press("4")
        await deck.shows("CONTROL")
        await deck.press("P")
        await deck.shows("P is not available: the plan int4_rollout_v1 is done")


async def test_one_gateway_of_several_or_all_of_them_each_with_its_own_revision() -> None:
    other = replace(PLANNED, state=replace(PLANNED.state, revision=8, weight_bp=500))
    async with running(link_of(PLANNED, other, experiment())) as deck:
        await opened(deck, "A")
        await deck.shows("on rack-1 only, one of 2 gateways", "Ctrl+G all 2 gateways")
        await deck.press("ctrl+g")
        await deck.shows("on all 2 gateways:", "van-0", "95/5 -> 100/0", "Ctrl+G only rack-1")
        await deck.press("ctrl+g", "ctrl+g", "y")
        await deck.shows("done: ended, everyone on the control, on 2 gateways")
        asked = sorted((host, ask.revision) for host, _, ask in deck.link.asked)
        assert asked == [("rack-1", 3), ("van-0", 8)]


async def test_what_one_gateway_has_not_applied_is_never_done_and_ends_with_the_dialog() -> None:
    link = link_of(PLANNED, PLANNED)
    link.answers["van-0"] = [UnreachableError("van-0 is not connected.", "")]
    async with running(link) as deck:
        await opened(deck, "A")
        await deck.press("ctrl+g", "y")
        await deck.shows("not done: applied on 1 of 2 gateways", "unreachable", "Esc gives up", "van-0")
        await deck.press("escape")
        await deck.shows("CONTROL")
        assert deck.app.runs.all == []
        assert "trying again" not in deck.text


async def test_finishing_names_the_baseline_and_wants_reason_and_name() -> None:
    async with running(link_of(FULL)) as deck:
        await opened(deck, "F")
        await deck.shows(
            "the baseline is then tiny-q4_0 (treatment)", "tiny-f16 (control) is stopped", "stays 0/100",
            "no rollback after this", "type int4_v1",
        )  # fmt: skip
        await deck.press(*"good", "enter")
        assert deck.link.asked == []
        await deck.press(*"int4_v2", "enter")
        await deck.shows("That is not its name.", "Type int4_v1 to finish it.")
        deck.link.gate.clear()
        await deck.press("backspace", "1", "enter", "enter", "enter")
        await deck.shows("sent, waiting for the agent")
        deck.link.gate.set()
        await deck.shows("done: the treatment is the baseline now")
        [(_, _, ask)] = deck.link.asked
        assert isinstance(ask, Finish)
        assert (ask.reason, ask.revision, ask.discard) == ("good", 3, False)


async def test_with_nobody_on_the_treatment_that_is_what_ends() -> None:
    async with running(link_of(rolled_back())) as deck:
        await opened(deck, "F")
        await deck.shows("drop the treatment of int4_v1", "the baseline is then tiny-f16 (control)")
        await deck.press(*"broken", "enter", *"int4_v1", "enter")
        await deck.shows("done: the control stays the baseline")
        assert deck.link.asked[0][2].discard


async def test_users_on_both_arms_end_nothing() -> None:
    async with running(link_of(PLANNED)) as deck:
        await deck.press("4")
        await deck.shows("CONTROL")
        await deck.press("F")
        await deck.shows("F is not available: users are split 90/10; it ends with everyone on one arm")


async def test_a_rehearsal_says_how_it_went() -> None:
    link = link_of(PLANNED)
    link.answers["rack-1"] = [PASSED]
    async with running(link) as deck:
        await opened(deck, "x")
        await deck.shows("Nobody is moved.", "it was never rehearsed")
        await deck.press("y")
        await deck.shows(
            "done: a rollback would work: drill passed: a token from every replica of",
            "acknowledged a config in 4.1 ms",
        )
        [(_, _, ask)] = link.asked
        assert isinstance(ask, Drill)
        assert not ask.live
        assert ask.by == "ada"


async def test_a_rehearsal_that_failed_is_no_success() -> None:
    link = link_of(PLANNED)
    link.answers["rack-1"] = [replace(PASSED, passed=False, failed=("control.1 gave no token: HTTP 500",))]
    async with running(link) as deck:
        await opened(deck, "x")
        await deck.press("y")
        await deck.shows("x A rollback would not work: control.1 gave no token: HTTP 500", "rehearse again")
        assert "done:" not in deck.text


@pytest.mark.parametrize("key", ["A", "x"])
async def test_y_typed_ahead_does_nothing(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(link_of(PLANNED)) as deck:
        await deck.press("4")
        await deck.shows("CONTROL")
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.press(key, "y", "y")
        await deck.shows("y ")
        assert deck.screen.NAME == "form"
        assert deck.link.asked == []


@pytest.mark.parametrize(
    ("options", "link_change"), [({"readonly": True}, {"role": "admin"}), ({}, {"role": "viewer"})]
)
async def test_who_may_change_nothing_gets_no_dialog(options: dict[str, bool], link_change: dict[str, Any]) -> None:
    async with running(link_of(FULL), **options) as deck:
        deck.link.say("rack-1", LinkChange(state="connected", **link_change))
        await deck.press("4")
        await deck.shows("read-only", "CONTROL")
        for key in ("p", "P", "A", "F", "x", "f", "a"):
            await deck.press(key)
            assert deck.screen.NAME in ("experiment", "alarms"), key


async def test_what_the_agent_refuses_is_said_in_its_words_and_what_was_typed_stays() -> None:
    link = link_of(PLANNED)
    link.answers["rack-1"] = [ConflictError("The rollout cannot be promoted: it is frozen.", "Mend that first.")]
    async with running(link) as deck:
        await opened(deck, "P")
        await deck.press(*"enough", "enter")
        await deck.shows("x Conflict: The rollout cannot be promoted", "Mend that first.", "enough")
        link.answers["rack-1"] = [Applied(revision=4)]
        await deck.press("enter")
        await deck.shows("done: on to the next step")
        first, second = (ask for _, _, ask in link.asked)
        assert first == second
