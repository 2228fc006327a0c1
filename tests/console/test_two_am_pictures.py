"""Pages, freezes, rollouts and a bad night over several gateways, as a person sees them."""

from __future__ import annotations

from console.test_alarms_pane import SNOOZED, TAKEN, opened, telling
from quantdeck_core.drift.verdict import Verdict
from quantdeck_core.errors import UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.alerts import PageCounts, ReceiverStatus
from quantdeck_core.protocol.drill import DrillRecord
from quantdeck_core.protocol.events import PagesEvent
from quantdeck_core.protocol.experiment import ExperimentStatus, TimelineEntry
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.readiness import Readiness
from quantdeck_core.rollout.several import CARRIED
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import NOW, arm, experiment, frozen, page, page_list, plan, rack, replace, rolled_back, van
from support.pictures import SIZES, Pictures

Size = tuple[int, int]
LOST = UnreachableError("van-7 did not answer within 5 s.", "It is tried again.")
SLACK = ReceiverStatus(name="slack-1", kind="slack", waiting=3, problem="it answered with HTTP 403")
OLDER = page(4, text="the control is not ready: it is being started (warming 40 %)", began=NOW - 900, owner="bo",
             note="cold start, see the runbook", count=3)  # fmt: skip
FULL = experiment(weight_bp=10_000, progress=plan(phase="done", step=4, next_bp=None, left_s=None, waits_for=()))


def watched() -> ExperimentStatus:
    """Rolled back after the judge had complained for three minutes."""
    one = rolled_back()
    watch = TimelineEntry(t=NOW - 200, kind="verdict", text="watch: loops +8.8 points over the control", by="quantdeck")
    return replace(one, timeline=(*one.timeline[:-1], watch, one.timeline[-1]))


def carried() -> ExperimentStatus:
    """The same on another gateway, 0.4 s later."""
    one = rolled_back()
    state = replace(one.state, reason=f"{CARRIED}rack-1: {one.state.reason}", by="guard@bastion", began=NOW - 13.4)
    return replace(one, state=state, last_rollback=replace(one.last_rollback, detection_to_zero_ms=None))


async def form(deck: Deck, *keys: str) -> None:
    await deck.press("4")
    await deck.shows("CONTROL")
    await deck.press(*keys)
    await deck.dialog("form")


@SIZES
async def test_alarms(picture: Pictures, size: Size) -> None:
    link = telling(rack_1=page_list(TAKEN), van_7=page_list(SNOOZED))
    async with running(link, size=size) as deck:
        await opened(deck, "somebody has every page")
        await picture(deck, "alarms-calm")
        link.pages["rack-1", "/v1/alerts"] = page_list(page(1, count=2), TAKEN, OLDER)
        link.say("rack-1", PagesEvent(revision=2, pages=PageCounts(nobody=2, taken=1)))
        await deck.shows("2 pages that nobody has, 1 snoozed, 1 acknowledged")
        await picture(deck, "alarms-alarm")
        many = tuple(
            page(number, began=NOW - 60 * number, text=f"engine chat-{number} hangs") for number in range(5, 40)
        )
        link.pages["van-7", "/v1/alerts"] = page_list(SNOOZED, *many, receivers=(SLACK,))
        link.say("van-7", PagesEvent(revision=2, pages=PageCounts(nobody=35, snoozed=1, deaf=1)))
        await deck.shows("37 pages that nobody has", "takes no pages")
        await picture(deck, "alarms-busy")


@SIZES
async def test_alarms_of_hosts_that_do_not_tell(picture: Pictures, size: Size) -> None:
    link = telling(rack_1=page_list(page(1), TAKEN), van_7=LOST)
    async with running(link, size=size) as deck:
        await opened(deck, "? van-7 does not tell")
        await picture(deck, "alarms-error")
        link.say("rack-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        await deck.shows("this is what it said last")
        await picture(deck, "alarms-stale")


@SIZES
async def test_no_alarms(picture: Pictures, size: Size) -> None:
    async with running(telling(), size=size) as deck:
        await opened(deck, "no pages on 2 hosts")
        await picture(deck, "alarms-empty")


@SIZES
async def test_dialogs_of_a_page(picture: Pictures, size: Size) -> None:
    link = telling(rack_1=page_list(page(1)), van_7=page_list(OLDER))
    async with running(link, size=size) as deck:
        await opened(deck, "2 pages that nobody has")
        for key, name in (("t", "acknowledge"), ("s", "snooze"), ("h", "hand-over"), ("T", "take-all")):
            await deck.press(key)
            await deck.dialog("form")
            await picture(deck, f"dialog-{name}")
            await deck.press("escape")


@SIZES
async def test_freeze(picture: Pictures, size: Size) -> None:
    link = FakeLink(rack(experiment(progress=plan())), van(), van(name="van-8"))
    link.answers["van-7"] = [LOST]
    async with running(link, size=size) as deck:
        await deck.press("f")
        await deck.dialog("form")
        await picture(deck, "dialog-freeze")
        await deck.press(*"launch", "enter")
        await deck.shows("not done: applied on 2 of 3 hosts", "unreachable")
        await picture(deck, "dialog-freeze-pending")
        link.answers["van-7"] = [Applied(revision=0)]
        await deck.shows("done: nothing but a rollback moves by itself")
        await picture(deck, "dialog-freeze-applied")


@SIZES
async def test_frozen_fleet(picture: Pictures, size: Size) -> None:
    async with running(FakeLink(rack(frozen=frozen()), van(frozen=frozen())), size=size) as deck:
        await deck.shows("FROZEN by bo")
        await picture(deck, "fleet-frozen")
        await deck.press("u")
        await deck.dialog("form")
        await picture(deck, "dialog-unfreeze")


@SIZES
async def test_a_rollback_on_three_hosts(picture: Pictures, size: Size) -> None:
    others = (van(experiments=(carried(),)), van(name="van-8", experiments=(carried(),)), van(name="van-9"))
    async with running(FakeLink(rack(watched(), pages=PageCounts(nobody=3)), *others), size=size) as deck:
        await deck.shows("x 3 hosts  int4_v1 since 02:14", "on 3 of 3 gateways in 400 ms")
        await picture(deck, "fleet-rolled-back-everywhere")


@SIZES
async def test_a_rollback_that_two_gateways_do_not_have(picture: Pictures, size: Size) -> None:
    others = tuple(van(name=f"van-{number}", experiments=(experiment(weight_bp=5_000),)) for number in (7, 8))
    async with running(FakeLink(rack(watched(), pages=PageCounts(nobody=1)), *others), size=size) as deck:
        await deck.shows("1 of 3 gateways", "R roll back")
        await picture(deck, "fleet-rolled-back-on-one")


@SIZES
async def test_plan_dialogs(picture: Pictures, size: Size) -> None:
    one = experiment(progress=plan())
    async with running(FakeLink(rack(one), van(experiments=(one,))), size=size) as deck:
        for key, name in (("p", "pause"), ("P", "promote"), ("A", "abort"), ("x", "drill")):
            await form(deck, key)
            await picture(deck, f"dialog-{name}")
            await deck.press("escape")
        await form(deck, "A", "ctrl+g")
        await deck.shows("on all 2 gateways")
        await picture(deck, "dialog-abort-everywhere")


@SIZES
async def test_finish_dialog(picture: Pictures, size: Size) -> None:
    async with running(FakeLink(rack(FULL)), size=size) as deck:
        await form(deck, "F")
        await picture(deck, "dialog-finish")


@SIZES
async def test_weight_on_all_gateways(picture: Pictures, size: Size) -> None:
    one = experiment(progress=plan(), treatment=arm("treatment", 131, loops=12))
    async with running(FakeLink(rack(one), van(experiments=(experiment(weight_bp=500),))), size=size) as deck:
        await deck.press("w")
        await deck.dialog("weight")
        await deck.press(*"50")
        await deck.shows("90/10 -> 50/50")
        await picture(deck, "dialog-weight-plan")
        await deck.press("ctrl+g")
        await deck.shows("on all 2 gateways", "95/5 -> 50/50")
        await picture(deck, "dialog-weight-everywhere")


@SIZES
async def test_experiment_with_all_there_is_to_say(picture: Pictures, size: Size) -> None:
    treatment = arm("treatment", 131, loops=12)
    one = experiment(
        progress=plan(),
        treatment=replace(treatment, window=replace(treatment.window, garbled=4)),
        rollback=Readiness(can=True, expected_s=0.006, last_drill=DrillRecord(t=NOW - 7_200, by="ada", passed=True)),
    )
    slow = Verdict(kind="watch", signal="itl", reason="41 ms between tokens, 12 ms on the control")
    one = replace(one, signals={**one.signals, "itl": slow})
    link = FakeLink(rack(one, frozen=frozen()), van(experiments=(experiment(weight_bp=500),)))
    async with running(link, size=size) as deck:
        await deck.press("enter")
        await deck.shows("FROZEN by bo", "also   on 1 more gateway", "between tokens")
        await picture(deck, "experiment-frozen-and-slow")
