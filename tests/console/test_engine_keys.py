"""`s`, `r` and `S` on the host pane: what they say, what they take, what they send."""

from __future__ import annotations

from typing import Any

import pytest

from quantdeck_console.screens import dialog
from quantdeck_core.errors import ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import EngineGone, OperationEvent
from quantdeck_core.protocol.requests import Applied, Restart, Stop
from support.decks import Deck, running
from support.fake_link import FakeLink
from support.fleets import engine, experiment, rack, replace, rolled_back, van
from support.machines import answering, restarting, server, stopped

BEGUN = Applied(revision=9, operation="op-18")


def link_to(status: Any = None) -> FakeLink:
    link = answering(status or server())
    link.answers["gpu-1"] = [BEGUN]
    return link


async def ask(deck: Deck, *keys: str) -> None:
    await deck.press("2")
    await deck.shows("agent 0.1.0")
    await deck.press(*keys)
    await deck.dialog("form")


async def test_a_stop_wants_the_name_and_is_then_followed_in_the_pane() -> None:
    link = link_to()
    link.answers["gpu-1"] = [replace(BEGUN, detail="chat-awq is draining")]
    async with running(link) as deck:
        await ask(deck, "j", "s")
        await deck.shows(
            "stop chat-awq on gpu-1", "12 requests running and 0 waiting",
            "30 % of users are on it: it is the treatment of chat_awq_v2", "chat_awq_v2 is rolled back",
        )  # fmt: skip
        await deck.press(*"chat-awq", "enter")
        await deck.shows("chat-awq is draining; the host's pane follows it to its end")
        assert "applied" not in deck.text
        [(host, path, wish)] = deck.link.asked
        assert isinstance(wish, Stop)
        assert (host, path, wish.by) == ("gpu-1", "/v1/engines/chat-awq/stop", "ada")
        await deck.press("enter")
        assert deck.screen.NAME == "host"
        going = replace(stopped("chat-awq"), id="op-18", state="running", ended=None)
        deck.link.say("gpu-1", OperationEvent(revision=2, operation=going))
        await deck.shows("op-18 stops chat-awq")
        assert "op-18 stops chat-awq  done" not in deck.text
        deck.link.say("gpu-1", OperationEvent(revision=3, operation=replace(stopped("chat-awq"), id="op-18")))
        deck.link.say("gpu-1", EngineGone(revision=4, name="chat-awq"))
        await deck.shows("op-18 stops chat-awq  done after 6.2 s")


@pytest.mark.parametrize("typed", ["", "chat", "chat-bf16", "CHAT-AWQ", "chat-awq!"])
async def test_another_name_stops_nothing_and_stays_to_be_corrected(typed: str) -> None:
    async with running(link_to()) as deck:
        await ask(deck, "j", "s")
        await deck.press(*typed, "enter")
        await deck.shows("x Cannot use this input: That is not its name.", "Type chat-awq to stop it.", typed)
        assert deck.link.asked == []
        await deck.press("escape")
        assert deck.screen.NAME == "host"


async def test_y_is_a_letter_where_a_name_is_wanted() -> None:
    async with running(link_to()) as deck:
        await ask(deck, "s")
        await deck.press("y", "y", "enter")
        await deck.shows("That is not its name.")
        assert deck.link.asked == []


@pytest.mark.parametrize(("key", "typed"), [("s", "chat-bf16"), ("S", "chat-bf16"), ("r", "")])
async def test_pressing_twice_asks_once(key: str, typed: str) -> None:
    async with running(link_to()) as deck:
        deck.link.gate.clear()
        await ask(deck, key)
        await deck.press(*typed, *(["enter"] * 3 if typed else ["y"] * 3))
        await deck.shows("sent, waiting for the agent")
        deck.link.gate.set()
        await deck.shows("op-18 has begun")
        assert len(deck.link.asked) == 1


async def test_a_lost_answer_is_repeated_as_the_same_request() -> None:
    link = link_to()
    link.answers["gpu-1"] = [UnreachableError("gpu-1 did not answer.", "It is applied once."), BEGUN]
    async with running(link) as deck:
        await ask(deck, "s")
        await deck.press(*"chat-bf16", "enter")
        await deck.shows("x Unreachable: gpu-1 did not answer.")
        await deck.press("enter")
        await deck.shows("op-18 has begun")
        assert len({wish.request_id for _, _, wish in deck.link.asked}) == 1


async def test_a_restart_asks_y_and_enter_does_nothing() -> None:
    async with running(link_to()) as deck:
        await ask(deck, "r")
        await deck.shows("restart chat-bf16 on gpu-1", "70 % of users are on it: it is the control of chat_awq_v2")
        assert "refused (503)" not in deck.text
        await deck.press("enter")
        assert deck.link.asked == []
        await deck.press("y")
        await deck.shows("op-18 has begun")
        [(_, path, wish)] = deck.link.asked
        assert isinstance(wish, Restart)
        assert (path, wish.swap, wish.force) == ("/v1/engines/chat-bf16/restart", False, False)


async def test_a_restart_without_room_is_refused_and_a_swap_says_what_it_costs() -> None:
    link = link_to()
    info = ErrorInfo(code="no-room-beside", title="No room for both", detail="GPU 0 has 7.0 GiB free.", hint="--swap")
    link.answers["gpu-1"] = [RemoteError(info, 409), BEGUN]
    async with running(link) as deck:
        await ask(deck, "r")
        await deck.press("y")
        await deck.shows("x No room for both: GPU 0 has 7.0 GiB free.", "S ends the old ones first")
        await deck.press("escape", "S")
        await deck.dialog("form")
        await deck.shows("Nobody is served by it meanwhile.", "They are refused (503) until it serves again.")
        await deck.press(*"chat-bf16", "enter")
        await deck.shows("op-18 has begun")
        wish = deck.link.asked[-1][2]
        assert isinstance(wish, Restart)
        assert wish.swap


async def test_keys_typed_before_the_dialog_was_seen_restart_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(link_to()) as deck:
        await deck.press("2")
        await deck.shows("agent 0.1.0")
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.press("r", "y", "y")
        await deck.shows("y restart it")
        assert deck.link.asked == []
        await deck.press("escape", "s", *"chat-bf16", "enter")
        await deck.shows("Enter stop it")
        assert deck.link.asked == []


async def test_what_stopping_the_control_means() -> None:
    async with running(link_to()) as deck:
        await ask(deck, "s")
        await deck.shows("They are refused (503) until it serves again.", "Nobody can be put back")


async def test_an_engine_without_users_says_none_go_anywhere() -> None:
    status = server(experiments=(experiment(treatment=replace(rolled_back().treatment, engines=("treatment",))),))
    async with running(link_to(status)) as deck:
        await ask(deck, "s")
        assert "of users" not in deck.text


async def test_a_rolled_back_treatment_has_no_users() -> None:
    async with running(FakeLink(rack(rolled_back()))) as deck:
        await ask(deck, "j", "s")
        await deck.shows("0 % of users are on it: it is the treatment of int4_v1")
        assert "go back" not in deck.text


async def test_all_replicas_of_an_engine_go_together() -> None:
    twins = (engine("chat", pid=1), engine("chat/1", pid=2, generation=2))
    link = FakeLink(van(engines=twins))
    link.answers["van-7"] = [BEGUN]
    async with running(link) as deck:
        await ask(deck, "j", "s")
        await deck.shows("stop chat on van-7", "4 requests running and 0 waiting in 2 replicas")
        await deck.press(*"chat", "enter")
        await deck.shows("op-18 has begun")
        assert deck.link.asked[0][1] == "/v1/engines/chat/stop"


async def test_an_operation_that_a_stop_ends_is_named() -> None:
    async with running(link_to(server(operations=(restarting("chat-bf16"),)))) as deck:
        await ask(deck, "s")
        await deck.shows("op-17 restarts chat-bf16 now; that is cancelled.")


async def test_an_engine_that_goes_while_the_dialog_is_open() -> None:
    async with running(link_to()) as deck:
        await ask(deck, "s")
        deck.link.say("gpu-1", EngineGone(revision=2, name="chat-bf16"))
        await deck.shows("chat-bf16 is not on gpu-1 any more.")


async def test_a_model_over_several_hosts_is_not_stopped_in_part() -> None:
    status = server(engines=(engine("big", hosts=("gpu-1", "gpu-2")),))
    async with running(link_to(status)) as deck:
        await deck.press("2")
        await deck.shows("part 1 of 2: gpu-1, gpu-2")
        for key in ("s", "r", "S"):
            await deck.press(key)
            await deck.shows("big runs over gpu-1, gpu-2: `quantdeck stop` asks all of them")
            assert deck.screen.NAME == "host"


@pytest.mark.parametrize(
    ("options", "role", "why"),
    [
        ({"readonly": True}, "admin", "this console was started with --readonly"),
        ({}, "viewer", "you are a viewer on gpu-1"),
    ],
)
async def test_who_may_not_is_told(options: dict[str, bool], role: str, why: str) -> None:
    async with running(link_to(), **options) as deck:
        deck.link.say("gpu-1", LinkChange(state="connected", role=role))
        await deck.press("2")
        await deck.shows("agent 0.1.0")
        assert "restart " not in deck.text.splitlines()[-1]
        for key in ("s", "r", "S"):
            await deck.press(key)
            await deck.shows(f"{key} is not available: {why}")
            assert deck.screen.NAME == "host"
        deck.clock.now += 7
        await deck.press("colon")
        await deck.dialog("palette")
        assert "asks for its name" not in deck.text
        assert deck.link.asked == []


async def test_without_an_engine_there_is_nothing_to_stop() -> None:
    async with running(FakeLink(van(engines=()))) as deck:
        await deck.press("2")
        await deck.shows("no engines here")
        await deck.press("s")
        await deck.shows("s is not available: there is no engine here")
