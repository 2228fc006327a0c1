"""Every screen of the slice, as a person sees it, at both sizes."""

from __future__ import annotations

from pathlib import Path

from quantdeck_console.pending import PendingFile
from quantdeck_console.screens.rollback import RollbackDialog
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.readiness import Readiness
from quantdeck_core.rollout.state import PendingRollback
from quantdeck_core.rollout.wish import Wish
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import NOW, arm, engine, experiment, failed_engine, gpu_host, plan, rack, replace, rolled_back, van
from support.pictures import SIZES, Pictures
from support.waiting import eventually


@SIZES
async def test_connecting(picture: Pictures, size: tuple[int, int]) -> None:
    link = FakeLink(hosts=("rack-1", "van-7"))
    async with running(link, size=size, ready="making", connecting_text="making the demo's models") as deck:
        await picture(deck, "fleet-connecting")


@SIZES
async def test_calm_fleet(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(), van()), size=size) as deck:
        await deck.shows("all quiet: 2 hosts, 3 engines ready")
        await picture(deck, "fleet-calm")


@SIZES
async def test_fleet_with_a_rollback(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(rolled_back()), van()), size=size) as deck:
        await picture(deck, "fleet-rolled-back")


@SIZES
async def test_fleet_with_stale_and_failed_hosts(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(), gpu_host(), van()), size=size) as deck:
        deck.link.say("van-7", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.clock.now += 5
        deck.link.say("rack-1", LinkChange(state="connected", role="operator"))
        deck.draw()
        await deck.shows("STALE ?", "FAIL x")
        await picture(deck, "fleet-stale-and-failed")


@SIZES
async def test_fleet_with_engines_that_hang_and_start_again(picture: Pictures, size: tuple[int, int]) -> None:
    engines = (
        engine("control"),
        engine("treatment", state="hung", tokens_per_s=None),
        engine("edge", state="restarting", note="starts again in 4 s", tokens_per_s=None),
    )
    async with running(FakeLink(rack(engines=engines), van()), size=size) as deck:
        await deck.shows("hangs: its port answers", "hung x", "restart !", "starts again in 4 s")
        await picture(deck, "fleet-hung-and-restarting")


@SIZES
async def test_fleet_of_many_hosts_at_work(picture: Pictures, size: tuple[int, int]) -> None:
    busy = engine("edge", tokens_per_s=310.0, running=16, waiting=9)
    hosts = [replace(van(engines=(busy,)), name=f"van-{number}") for number in range(1, 41)]
    starting = replace(van(engines=(engine("edge", state="loading", tokens_per_s=None),)), name="van-41")
    async with running(FakeLink(rack(), gpu_host(engines=(engine("chat"),)), starting, *hosts), size=size) as deck:
        await deck.shows("43 hosts", "16/9")
        await picture(deck, "fleet-busy")


@SIZES
async def test_fleet_on_its_first_day(picture: Pictures, size: tuple[int, int]) -> None:
    bare = [replace(van(engines=(), experiments=(), gateway=None), name=name) for name in ("gpu-1", "gpu-2")]
    async with running(FakeLink(*bare), size=size) as deck:
        await deck.shows("2 hosts, nothing is deployed yet", "d deploy an engine")
        await picture(deck, "fleet-empty")
        await deck.press("4")
        await deck.shows("there is no experiment in this fleet")
        await picture(deck, "experiment-empty")


@SIZES
async def test_fleet_that_nobody_can_reach(picture: Pictures, size: tuple[int, int]) -> None:
    link = FakeLink(hosts=("gpu-1", "gpu-2"))
    async with running(link, size=size, ready="") as deck:
        refused = "gpu-1 refused this key. Is it in ~/.ssh/authorized_keys there?"
        link.say("gpu-1", LinkChange(state="lost", detail=refused))
        link.say("gpu-2", LinkChange(state="lost", detail="gpu-2 cannot be reached by SSH: timed out."))
        deck.draw()
        await deck.shows("refused this key")
        await picture(deck, "fleet-error")


@SIZES
async def test_experiment_whose_treatment_has_failed(picture: Pictures, size: tuple[int, int]) -> None:
    broken = experiment()
    broken = replace(broken, treatment=replace(broken.treatment, ready=False))
    engines = (engine("control"), failed_engine())
    async with running(FakeLink(rack(broken, engines=engines), van()), size=size) as deck:
        await deck.press("4")
        await deck.shows("treatment not ready !")
        await picture(deck, "experiment-error")


@SIZES
async def test_healthy_experiment(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(), van()), size=size) as deck:
        await deck.press("enter")
        await deck.shows("as good as the control")
        await picture(deck, "experiment-healthy")


@SIZES
async def test_experiment_under_a_plan(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(experiment(progress=plan())), van()), size=size) as deck:
        await deck.press("enter")
        await deck.shows(
            "plan", "int4_rollout_v1 2/4: soaking, 2 h 1 min of 6 h", "50 % next in about 3 h 58 min if all stays well"
        )
        await picture(deck, "experiment-plan")


@SIZES
async def test_experiment_whose_rollback_waits_for_the_control(picture: Pictures, size: tuple[int, int]) -> None:
    waiting = experiment(weight_bp=5_000)
    pending = PendingRollback(by="quantdeck", reason="47.1 % of answers loop, limit 15%", since=NOW - 41)
    waiting = replace(
        waiting,
        state=replace(waiting.state, pending=pending),
        control=replace(waiting.control, ready=False),
        rollback=Readiness(can=False, why="the control control is not ready: it is being started (warming 40 %)"),
    )
    async with running(FakeLink(rack(waiting), van()), size=size) as deck:
        await deck.press("enter")
        await deck.shows("ROLLBACK PENDING", "not ready")
        await picture(deck, "experiment-rollback-pending")


@SIZES
async def test_experiment_without_enough_answers(picture: Pictures, size: tuple[int, int]) -> None:
    young = experiment(treatment=arm("treatment", 12, loops=0, words=38.0))
    async with running(FakeLink(rack(young), van()), size=size) as deck:
        await deck.press("enter")
        await deck.shows("needs 38 more outputs of the treatment")
        await picture(deck, "experiment-too-few-answers")


@SIZES
async def test_rolled_back_experiment(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(rolled_back()), van()), size=size) as deck:
        await deck.press("enter")
        await deck.shows("ROLLED BACK")
        await picture(deck, "experiment-rolled-back")


@SIZES
async def test_experiment_of_a_host_that_is_out_of_reach(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(), van()), size=size) as deck:
        await deck.press("enter")
        await deck.shows("as good as the control")
        deck.link.say("rack-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.clock.now += 48
        await deck.shows("STALE ?", "the SSH connection was closed, these are from 48s ago", "can roll back: not known")
        await picture(deck, "experiment-stale")


@SIZES
async def test_weight_dialog(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(), van()), size=size) as deck:
        await deck.press("enter", "w")
        await deck.dialog("weight")
        await deck.press("5", "0")
        await deck.shows("90/10 -> 50/50")
        await picture(deck, "dialog-weight")


@SIZES
async def test_weight_dialog_with_the_agents_refusal(picture: Pictures, size: tuple[int, int]) -> None:
    link = FakeLink(rack(rolled_back()), van())
    info = ErrorInfo(
        code="conflict",
        title="Conflict",
        detail="The experiment is rolled back: 47.1% of answers loop, limit 15%",
        hint="Say why it may go on with `quantdeck experiment clear NAME --reason ...`; it then starts again at 5 %.",
    )
    link.answers["rack-1"] = [RemoteError(info, 409)]
    async with running(link, size=size) as deck:
        await deck.press("enter", "w")
        await deck.dialog("weight")
        await deck.press("5", "0", "enter")
        await deck.shows("x Conflict")
        await picture(deck, "dialog-weight-refused")


@SIZES
async def test_rollback_dialog(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(experiment(weight_bp=5_000)), van()), size=size) as deck:
        await deck.press("enter", "R")
        await deck.dialog("rollback")
        await deck.shows("50/50 -> 100/0")
        assert isinstance(deck.screen, RollbackDialog)
        [target] = deck.screen.run_state.targets
        await eventually(lambda: not target.silent)
        deck.draw()
        await picture(deck, "dialog-rollback")


@SIZES
async def test_rollback_that_is_not_through(picture: Pictures, size: tuple[int, int]) -> None:
    half = experiment(weight_bp=5_000)
    racks = [rack(half, name=f"rack-{number}") for number in range(1, 13)]
    link = FakeLink(*racks, hosts=(*(one.name for one in racks), "edge-3", "edge-9"))
    for name in ("rack-4", "edge-3", "edge-9"):
        lost = UnreachableError(f"The agent of {name} does not answer: ReadTimeout.", "Is `quantdeck agent run` up?")
        link.answers[name] = [lost]
    link.answers["rack-2"] = [Applied(revision=5, pending=True, detail="saved, not effective yet: no answer")]
    async with running(link, size=size) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("applied on 10 of 12 gateways")
        deck.clock.now += 5
        deck.draw()
        await deck.shows("for 5s")
        await picture(deck, "dialog-rollback-not-through")


@SIZES
async def test_rollback_of_another_console(picture: Pictures, size: tuple[int, int], tmp_path: Path) -> None:
    file = PendingFile(tmp_path / "pending.json")
    wish = Wish(
        experiment="int4_v1",
        host="edge-3",
        request_id="r-1",
        by="bo@laptop",
        reason="odd",
        asked=NOW - 60,
        made=NOW - 60,
    )
    file.change([wish])
    async with running(FakeLink(rack(rolled_back()), hosts=("rack-1", "edge-3")), size=size, pending=file) as deck:
        await deck.shows("pending on edge-3")
        deck.draw()
        await picture(deck, "fleet-rollback-resumed")


@SIZES
async def test_rollback_applied(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(experiment(weight_bp=5_000)), van()), size=size) as deck:
        await deck.press("R")
        await deck.dialog("rollback")
        await deck.press("y")
        await deck.shows("done: everyone is on the control")
        await picture(deck, "dialog-rollback-applied")


@SIZES
async def test_help(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(), van()), size=size) as deck:
        await deck.press("question_mark")
        await deck.shows("Everywhere")
        await picture(deck, "help")


@SIZES
async def test_palette(picture: Pictures, size: tuple[int, int]) -> None:
    async with running(FakeLink(rack(), van()), size=size) as deck:
        await deck.press("colon")
        await deck.dialog("palette")
        await deck.shows("change the treatment's share of users")
        await picture(deck, "palette")
