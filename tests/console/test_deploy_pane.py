"""Pane 3 on a fleet in memory: from a profile to an engine that is ready, and all that may come between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quantdeck_console.screens import deploy, dialog
from quantdeck_core.errors import ConflictError, ErrorInfo, RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.operation import Intended
from quantdeck_core.protocol.requests import Applied, Cancel, Deploy
from support.decks import Deck, running
from support.deployments import DEPLOY, PLAN, failed, going, intended, no_room_beside, operation, refused, swapped
from support.fake_link import FakeLink
from support.fleets import NOW, gpus, rack, replace, sample, van

BEGUN = Applied(revision=2, operation="op-7", detail="demo-q8.2 is starting")


def fleet(check: Intended | None = None, **options: Any) -> FakeLink:
    """Two hosts that accept everything."""
    link = FakeLink(rack(), van(), **options)
    for host in link.hosts:
        link.pages[(host, PLAN)] = check or intended()
        link.pages[(host, DEPLOY)] = BEGUN
    return link


def asked(deck: Deck, path: str = DEPLOY) -> list[tuple[str, Any]]:
    """What was asked for, and not only checked."""
    return [(host, ask) for host, about, ask in deck.link.asked if about == path]


@asynccontextmanager
async def opened(link: FakeLink, profile: str = "demo-q8", **options: Any) -> AsyncIterator[Deck]:
    """The pane, about rack-1, with a profile chosen by its filter."""
    async with running(link, **options) as deck:
        await deck.press("d")
        await deck.shows("demo-damaged")
        if profile:
            await deck.press("slash", *profile, "enter")
            await deck.shows(f"1  /{profile}")
            await deck.press("space")
            await deck.shows(f"deploy {profile}")
        yield deck


async def confirm(deck: Deck) -> None:
    await deck.press("enter")
    await deck.dialog("form")
    await deck.press("y")


async def test_the_whole_way_from_a_profile_to_ready() -> None:
    async with opened(fleet()) as deck:
        await deck.shows(
            "rack-1  fits", "needs weights 13.0 GiB + KV cache 4.0 GiB + overhead 1.0 GiB = 18.0 GiB",
            "22.0 GiB of 80.0 GiB free on GPU 0 now", "starts demo-q8", "quantdeck_agent.engines.xllamacpp_main",
        )  # fmt: skip
        await deck.press("tab", "j", "space")
        await deck.shows("deploy demo-q8 on rack-1, van-7", "van-7  fits")
        assert asked(deck) == []
        await deck.press("enter")
        await deck.dialog("form")
        await deck.shows("deploy demo-q8 as demo-q8 on 2 hosts", "rack-1  starts demo-q8", "van-7   starts demo-q8")
        assert asked(deck) == []
        await deck.press("y")
        await deck.shows("accepted")
        assert deck.screen.NAME == "deploy"
        assert [(host, ask.by, ask.profile.name, ask.replace, ask.swap, ask.force) for host, ask in asked(deck)] == [
            ("rack-1", "ada", "demo-q8", False, False, False), ("van-7", "ada", "demo-q8", False, False, False),
        ]  # fmt: skip
        one = operation("load", kind="deploy", engine="demo-q8")
        deck.link.say("van-7", going(one))
        await deck.shows("load 45 %", "> op-7 deploys demo-q8  by ada", "for 14 s", "weights, 3 of 7")
        done = replace(one, state="done", steps=(), ended=NOW - 2)
        deck.link.say("van-7", going(done))
        await deck.shows("done after 12.0 s")
        assert "accepted" in deck.text, "rack-1 has said nothing more: it is not done there"


async def test_what_is_chosen_is_checked_again_and_nothing_of_the_former_check_is_left() -> None:
    async with opened(fleet()) as deck:
        await deck.shows("rack-1  fits")
        checks = asked(deck, PLAN)
        assert [host for host, _ in checks] == ["rack-1"], "only marked hosts are asked"
        assert isinstance(checks[0][1], Deploy)
        deck.link.gate.clear()
        deck.link.pages[("rack-1", PLAN)] = intended("treatment", kind="replace")
        await deck.press("n")
        await deck.press(*"treatment", "enter")
        await deck.shows("deploy treatment from demo-q8", "checking ...")
        assert "fits" not in deck.text
        assert "22.0 GiB" not in deck.text
        await deck.press("enter")
        await deck.shows("rack-1 is still being checked")
        deck.link.gate.set()
        await deck.shows("rack-1  replaces", "replaces treatment.1 (tiny-treatment); it serves until the new one is")
        assert asked(deck, PLAN)[-1][1].name == "treatment"


async def test_a_check_that_is_too_old_is_grey_and_blocks_until_there_is_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened(fleet()) as deck:
        await deck.shows("rack-1  fits")
        deck.clock.now += 21
        deck.link.say("rack-1", LinkChange(state="connected", role="operator"))
        deck.draw()
        await deck.shows("rack-1  old check ?", "The check of rack-1 is 21s old")
        await deck.press("enter")
        assert deck.screen.NAME == "deploy"
        monkeypatch.setattr(deploy, "CHECK_EVERY_S", 0.2)
        await deck.press("space", "space")
        await deck.shows("rack-1  fits")
        deck.clock.now += 30
        deck.link.say("rack-1", LinkChange(state="connected", role="operator"))
        await deck.shows("rack-1  fits", "checked 02:18:35")


async def test_typed_ahead_keys_begin_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(fleet()) as deck:
        await deck.shows("rack-1  fits")
        monkeypatch.setattr(dialog, "GUARD_S", 3600.0)
        await deck.press("enter", "y", "y", "enter", "enter")
        assert deck.screen.NAME == "form"
        assert asked(deck) == []
        await deck.press("escape")
        assert deck.screen.NAME == "deploy"


async def test_pressing_twice_asks_once() -> None:
    async with opened(fleet()) as deck:
        await deck.shows("rack-1  fits")
        deck.link.gate.clear()
        await confirm(deck)
        await deck.press("y", "enter")
        await deck.shows("rack-1 was asked already: its answer is waited for", "sent")
        assert deck.screen.NAME == "deploy"
        deck.clock.now += 5
        await deck.shows("pending ?", "demo-q8: pending ?, waiting for the agent's answer")
        deck.link.gate.set()
        await deck.shows("accepted", "on no host yet")
        await deck.press("enter")
        await deck.shows("No host is marked")
        assert len(asked(deck)) == 1


async def test_a_lost_answer_is_asked_for_again_with_the_same_request() -> None:
    link = fleet()
    link.pages[("rack-1", DEPLOY)] = UnreachableError("rack-1 did not answer within 60 s.", "Ask again.")
    async with opened(link) as deck:
        await deck.shows("rack-1  fits")
        await confirm(deck)
        await deck.shows("no answer ?", "rack-1 did not answer within 60 s", "Whether it began is not known.")
        link.pages[("rack-1", DEPLOY)] = BEGUN
        await deck.press("enter")
        await deck.dialog("form")
        await deck.shows("is asked again, with the same request: it is done once")
        await deck.press("y")
        await deck.shows("accepted")
        first, second = asked(deck)
        assert first == second


async def test_the_same_wish_after_an_answer_is_another_request() -> None:
    async with opened(fleet()) as deck:
        await deck.shows("rack-1  fits")
        await confirm(deck)
        await deck.shows("on no host yet")
        await deck.press("tab", "space")
        await deck.shows("rack-1  fits")
        await confirm(deck)
        await deck.shows("on no host yet")
        assert len({ask.request_id for _, ask in asked(deck)}) == 2


async def test_a_refusal_blocks_and_force_asks_for_the_engines_name() -> None:
    async with opened(fleet(refused())) as deck:
        await deck.shows(
            "refused x", "x refused: It needs 18.0 GiB, and GPU 0 has 9.6 GiB free now.", "next: Stop what is"
        )
        await deck.press("enter")
        await deck.shows("rack-1 refuses it: It needs 18.0 GiB")
        await deck.press("F", "enter")
        await deck.dialog("form")
        await deck.shows("Type demo-q8 to force it:", "! forced: It needs 18.0 GiB")
        await deck.press("enter")
        await deck.shows("That is not its name.", "Type demo-q8 to force it.")
        await deck.press(*"demo-q", "enter")
        assert asked(deck) == []
        await deck.press("8", "enter")
        await deck.shows("accepted")
        [(_, ask)] = asked(deck)
        assert ask.force


async def test_a_swap_says_for_how_long_nobody_serves() -> None:
    link = fleet(no_room_beside())
    async with opened(link) as deck:
        await deck.shows("no room !", "ends the old one first: nobody is served by it for about 12 s", "s swaps")
        await deck.press("enter")
        await deck.shows("rack-1 has no room for both: s swaps, without treatment for about 12 s")
        link.pages[("rack-1", PLAN)] = swapped()
        await deck.press("s")
        await deck.shows("rack-1  swaps !", "nobody is served by treatment for about 12 s", "int4_v1, 10 % of users.")
        assert asked(deck, PLAN)[-1][1].swap
        await deck.press("enter")
        await deck.dialog("form")
        await deck.shows("ends treatment.1 (tiny-treatment) first", "! nobody is served by demo-q8 for about 12 s")
        await deck.press("y")
        await deck.shows("accepted")
        [(_, ask)] = asked(deck)
        assert (ask.replace, ask.swap, ask.force) == (True, True, False)


async def test_what_was_accepted_is_not_accepted_for_something_else() -> None:
    async with opened(fleet(refused())) as deck:
        await deck.press("F", "s")
        await deck.shows("FORCE !", "swap !")
        await deck.press("tab", "j", "space")
        await deck.hides("FORCE !")
        assert "swap !" not in deck.text


async def test_a_confirmation_ends_when_the_check_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "CHECK_EVERY_S", 0.2)
    link = fleet()
    async with opened(link) as deck:
        await deck.shows("rack-1  fits")
        await deck.press("enter")
        await deck.dialog("form")
        link.pages[("rack-1", PLAN)] = intended(kind="replace")
        await deck.shows("! The check says something else by now.")
        await deck.press("y")
        assert asked(deck) == []
        link.pages[("rack-1", PLAN)] = refused()
        await deck.shows("Nothing can be begun as it is said here.")
        await deck.press("y")
        assert asked(deck) == []
        assert deck.screen.NAME == "form"


async def test_what_the_agent_refuses_is_said_in_its_words() -> None:
    link = fleet()
    detail = "treatment is being deployed already (op-4)."
    link.pages[("rack-1", DEPLOY)] = RemoteError(
        ErrorInfo(code="name-in-use", title="Name in use", detail=detail, hint="Wait until it is done."), 409
    )
    async with opened(link) as deck:
        await deck.shows("rack-1  fits")
        await confirm(deck)
        await deck.shows("refused x", f"x demo-q8: Name in use: {detail}", "Wait until it is done.")
        link.pages[("rack-1", PLAN)] = ConflictError("It is being deployed.", "Cancel it.")
        await deck.press("tab", "space", "space")
        await deck.shows("cannot x")
        await deck.press("enter")
        await deck.shows("rack-1: It is being deployed. Cancel it.")


async def test_a_failed_start_is_said_with_what_to_do() -> None:
    async with opened(fleet()) as deck:
        await deck.shows("rack-1  fits")
        await confirm(deck)
        await deck.shows("accepted")
        deck.link.say("rack-1", going(failed()))
        await deck.shows(
            "failed x after 11.0 s", "x The engine ended while it was loading: CUDA out of memory",
            "next: Lower max_model_len or max_num_seqs",
        )  # fmt: skip


async def test_what_others_began_is_shown_and_coming_back_loses_nothing() -> None:
    async with opened(fleet(), profile="") as deck:
        deck.link.say("van-7", going(operation("warm-up", engine="edge", by="bob@desk", fraction=None)))
        await deck.shows("1 host at work o", "warm-up")
        await deck.press("o")
        await deck.shows("op-7 replaces edge  by bob@desk")
        await deck.press("escape")
        assert deck.screen.NAME == "fleet"
        await deck.press("d", "o")
        await deck.shows("op-7 replaces edge  by bob@desk", "+ load")
        deck.link.say("rack-1", going(operation("load", id="op-3", kind="restart", engine="control")))
        await deck.shows("2 hosts at work")
        await deck.press("o")
        await deck.shows("op-3 restarts control")
        await deck.press("o")
        await deck.shows("op-7 replaces edge")


async def test_a_deployment_outlives_its_pane() -> None:
    async with opened(fleet()) as deck:
        await deck.shows("rack-1  fits")
        deck.link.gate.clear()
        await confirm(deck)
        await deck.shows("sent")
        await deck.press("escape", "escape")
        assert deck.screen.NAME == "fleet"
        await deck.press("d")
        await deck.shows("demo-q8: sent, waiting for the agent's answer", "[x] rack-1")
        deck.link.gate.set()
        await deck.shows("accepted", "[ ] rack-1", "on no host yet")
        await deck.press("escape")
        deck.link.say("rack-1", going(operation("load", kind="deploy", engine="demo-q8")))
        await deck.press("d")
        await deck.shows("op-7 deploys demo-q8  by ada", "load 45 %")
        assert len(asked(deck)) == 1


async def test_a_host_that_is_lost_meanwhile_is_never_called_done() -> None:
    async with opened(fleet()) as deck:
        deck.link.say("rack-1", going(operation()))
        await deck.shows("load 45 %")
        deck.link.say("rack-1", LinkChange(state="lost", detail="the SSH connection was closed"))
        deck.clock.now += 48
        await deck.shows("unreachable ?", "UNREACHABLE ? as last heard 48s ago, and it was not done then.")
        assert "done after" not in deck.text
        await deck.press("enter")
        await deck.shows("rack-1 is not reached: nothing can begin there")


async def test_cancelling_asks_first_and_says_what_it_undoes() -> None:
    link = fleet()
    async with opened(link) as deck:
        await deck.press("x")
        await deck.shows("x is not available: nothing goes on on rack-1")
        deck.link.say("rack-1", going(operation()))
        deck.clock.now += 7
        await deck.shows("x cancel")
        link.pages[("rack-1", "/v1/operations/op-7/cancel")] = Applied(
            revision=2, operation="op-7", detail="op-7 cancelled"
        )
        await deck.press("x")
        await deck.dialog("form")
        await deck.shows(
            "end op-7 on rack-1 and undo it", "op-7 replaces treatment", "3/9 load 45 %: weights, 3 of 7", "undone"
        )
        await deck.press("enter")
        assert asked(deck, "/v1/operations/op-7/cancel") == []
        await deck.press("y", "y")
        await deck.shows("op-7 cancelled")
        [(host, ask)] = asked(deck, "/v1/operations/op-7/cancel")
        assert isinstance(ask, Cancel)
        assert (host, ask.by) == ("rack-1", "ada")


@pytest.mark.parametrize(
    ("options", "role", "why"),
    [({"readonly": True}, "admin", "started with --readonly"), ({}, "viewer", "you are a viewer on rack-1")],
)
async def test_who_may_only_look_can_choose_and_begin_nothing(options: dict[str, bool], role: str, why: str) -> None:
    async with opened(fleet(role=role), **options) as deck:
        await deck.shows("rack-1  fits", "read-only")
        deck.link.say("rack-1", going(operation()))
        await deck.shows("load 45 %")
        footer = deck.text.splitlines()[-1]
        assert "Enter deploy" not in footer
        assert "x cancel" not in footer
        for key in ("enter", "x"):
            await deck.press(key)
            await deck.shows(why)
            assert deck.screen.NAME == "deploy"
        assert asked(deck) == []


async def test_a_viewer_is_told_by_the_agent_that_it_checks_nothing_for_them() -> None:
    denied = RemoteError(ErrorInfo(code="forbidden", title="Not allowed", detail="A viewer may not.", hint="Ask."), 403)
    link = fleet(role="viewer")
    link.pages[("rack-1", PLAN)] = denied
    async with opened(link) as deck:
        await deck.shows("cannot x", "rack-1: A viewer may not. Ask.")


async def test_filters_and_lists_without_a_mouse() -> None:
    async with opened(fleet(), profile="") as deck:
        await deck.press("slash", *"no such thing")
        await deck.shows("no profile matches 'no such thing'; Esc shows all")
        await deck.press("escape")
        assert deck.screen.NAME == "deploy"
        await deck.press("escape")
        await deck.shows("demo-damaged")
        await deck.press("tab", "slash", *"van", "enter")
        await deck.shows("1 /van")
        assert "[x] rack-1" not in deck.text
        await deck.press("escape")
        await deck.shows("[x] rack-1")
        await deck.press("shift+tab", "G", "space")
        await deck.shows("deploy mistral-7b-awq-int4-g64-long")
        await deck.press("tab", "tab", "j", "j")
        await deck.hides("checked 02:17:44")
        await deck.press("g")
        await deck.shows("checked 02:17:44")
        await deck.press("tab", "g", "k", "enter")
        await deck.shows("deploy demo-damaged on rack-1")


async def test_a_profile_of_a_file_and_one_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nmodel = "m.Q6_K.gguf"\nengine = "llama-server"\nnodes = 3\n')
    async with opened(fleet(), profile="") as deck:
        await deck.press("p")
        await deck.press(*"./mine.toml", "enter")
        await deck.shows("mine.toml  cannot be read", "./mine.toml:4:1", "p names a file, or this one again")
        await deck.press("enter")
        assert "deploy mine" not in deck.text
        file.write_text('name = "mine"\nmodel = "m.Q6_K.gguf"\nengine = "llama-server"\n')
        await deck.press("p", "enter")
        await deck.shows("deploy mine on rack-1", "Q6_K", "rack-1  fits")
        [*_, (_, ask)] = asked(deck, PLAN)
        assert ask.profile.model == "m.Q6_K.gguf"
        await deck.press("escape", "d")
        await deck.shows("deploy mine on rack-1")


async def test_a_name_that_no_agent_takes_is_refused_here() -> None:
    async with opened(fleet()) as deck:
        await deck.press("n", *"-x", "enter")
        await deck.shows("'-x' is no name for an engine")
        await deck.shows("deploy demo-q8 on rack-1")


async def test_a_profile_over_several_hosts_is_said_with_its_command(tmp_path: Path) -> None:
    file = tmp_path / "big.toml"
    file.write_text(
        'name = "big"\nmodel = "big"\nengine = "vllm"\n[nodes]\ncount = 2\n[serve]\ntensor_parallel_size = 2\n'
    )
    async with opened(fleet(), profile="", size=(120, 36), command_options=("--fleet", "f.toml")) as deck:
        await deck.press("p")
        await deck.press(*str(file), "enter")
        await deck.shows("big runs over 2 hosts", "Mark 2 hosts, the head first: 1 are.")
        await deck.press("tab", "j", "space")
        await deck.hides("Mark 2 hosts")
        command = f"quantdeck deploy {file} --host rack-1 --host van-7 --fleet f.toml"
        assert command in " ".join(line.strip() for line in deck.text.splitlines()).replace(" ", "") or command.replace(
            " ", ""
        ) in deck.text.replace("\n", "").replace(" ", "")
        await deck.press("enter")
        await deck.shows("runs over several hosts: deploy it with the command")
        assert deck.link.asked == []
        await deck.press("y")
        assert deck.app.clipboard == command


async def test_what_is_copied_is_the_command_that_does_the_same() -> None:
    async with opened(fleet()) as deck:
        await deck.press("n")
        await deck.press(*"treatment", "enter")
        await deck.shows("deploy treatment")
        await deck.press("y")
        assert deck.app.clipboard == "quantdeck deploy demo-q8 --host rack-1 --name treatment --replace"


EVIL = "a[/oops][b]\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202eb"
SEEN = "a[/oops][b]]52;c;ZXZpbA==[2J31mb"


async def test_hostile_text_is_drawn_as_text(tmp_path: Path) -> None:
    evil = ErrorInfo(code="x", title=EVIL, detail=EVIL, hint=EVIL)
    link = fleet(refused(EVIL, argv=("run", EVIL), version=EVIL, note=EVIL))
    async with opened(link, size=(120, 36)) as deck:
        await deck.shows(SEEN)
        deck.link.say("rack-1", going(operation(engine=EVIL, by=EVIL, detail=EVIL, forced=EVIL)))
        await deck.shows(f"forced by {SEEN}", f"replaces {SEEN}")
        deck.link.say("rack-1", going(failed(engine=EVIL, error=evil)))
        await deck.shows(f"x {SEEN}: {SEEN}", f"next: {SEEN}")
        assert not any((ord(char) < 32 and char != "\n") or ord(char) in range(0x7F, 0xA0) for char in deck.text)
        await deck.press("p")
        await deck.press(*"/tmp/[/x].toml", "enter")
        await deck.shows("x].toml  cannot be read", "There is no file /tmp/[/x].toml")
        file = tmp_path / "evil.toml"
        file.write_text(f'name = "mine"\nmodel = "m"\nengine = "vllm"\ndescription = """{SEEN} [red]"""\n')
        await deck.press("p")
        await deck.press(*str(file), "enter")
        await deck.shows(f"mine: {SEEN} [red]")


async def test_a_host_with_gpus_says_what_is_free_there() -> None:
    link = FakeLink(rack(), van(sample=sample(gpus=gpus(2, 0.5), gpu_note="")))
    async with running(link) as deck:
        await deck.press("d")
        await deck.shows("80.0 GiB free", "19.0 GiB free")
