"""`e` and `E`: the evidence as a file, with users' words only where they were asked for."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from quantdeck_console.incident_file import default_name, write_incident
from quantdeck_core.errors import ForbiddenError, InputError
from quantdeck_core.protocol.incident import IncidentReport, ReplayAsk
from support.decks import Deck, running
from support.fake_link import Clock, FakeLink
from support.fleets import NOW, experiment, rack, van
from support.incidents import LATER, broken_experiment, replayed, report, tells

NAME = "incident-int4_v1-20260601T023244Z.json"
WORDS = '{"messages":[{"role":"user","content":"my secret"}]}'
REPLAY = ("rack-1", "/v1/experiments/int4_v1/replay")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the console was started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def link_with(role: str = "operator") -> FakeLink:
    link = FakeLink(rack(broken_experiment()), van(), role=role)
    tells(link, report())
    link.pages[REPLAY] = replayed(WORDS)
    return link


async def press(deck: Deck, *keys: str) -> None:
    await deck.press("i")
    await deck.shows("The treatment's share")
    await deck.press(*keys)
    await deck.dialog("export")


def read(file: Path) -> list[IncidentReport]:
    return msgspec.json.decode(file.read_bytes(), type=list[IncidentReport])


async def test_it_is_written_for_its_owner_and_says_where(folder: Path) -> None:
    link = link_with()
    async with running(link, clock=Clock(LATER), size=(120, 36)) as deck:
        await press(deck, "e")
        await deck.shows("export the incident of int4_v1", "What rack-1 told", "Without what users wrote.", NAME)
        await deck.press("enter")
        await deck.shows("written: ", "Enter Esc close")
        file = folder / NAME
        assert read(file) == [report()]
        assert file.stat().st_mode & 0o777 == 0o600
        assert link.asked == []
        assert f"the incident is in {file}"[:100] in deck.app.model.notice.text  # type: ignore[union-attr]
        await deck.press("enter")
        assert deck.screen.NAME == "incident"


async def test_what_a_replay_said_goes_with_it_without_users_words(folder: Path) -> None:
    link = link_with()
    link.pages[REPLAY] = replayed()
    async with running(link, clock=Clock(LATER)) as deck:
        await deck.press("i")
        await deck.shows("The treatment's share")
        await deck.press("p")
        await deck.dialog("replay")
        await deck.press("y")
        await deck.shows("It is the quantization")
        await press(deck, "e")
        await deck.press(*"case.json", "enter")
        await deck.shows("written: ")
        [told] = read(folder / "case.json")
        assert told.replay == replayed()


async def test_nothing_is_overwritten_and_what_was_typed_stays(folder: Path) -> None:
    (folder / "case.json").write_text("evidence")
    (folder / "dangling").symlink_to(folder / "nowhere")
    async with running(link_with(), clock=Clock(LATER)) as deck:
        await press(deck, "e")
        for name, words in (
            ("case.json", "exists already."),
            ("dangling", "exists already."),
            ("missing/case.json", "There is no folder"),
            ("~nobodyhere/case.json", "Type the whole path."),
            (" ", "The file has no name."),
            ("a" * 300, "Cannot write"),
        ):
            field = deck.screen.query_one("Input")
            field.value = ""  # type: ignore[attr-defined]
            await deck.press(*name, "enter")
            await deck.shows("x Cannot use this input: ", words)
        assert (folder / "case.json").read_text() == "evidence"
        assert not (folder / "nowhere").exists()
        field.value = "other.json"  # type: ignore[attr-defined]
        await deck.press("enter")
        await deck.shows("written: ")


async def test_users_words_are_asked_for_by_their_own_key_and_said(folder: Path) -> None:
    link = link_with()
    async with running(link, clock=Clock(LATER)) as deck:
        await press(deck, "E")
        await deck.shows("with what users wrote", "23 flagged prompts, for which both arms answer")
        await deck.shows("you exported them")
        link.gate.clear()
        await deck.press("enter", "enter")
        await deck.shows("under way for 0 s", "Esc hides it")
        assert not (folder / NAME).exists()
        await deck.press("escape")
        link.gate.set()
        await deck.shows("the incident is in ")
        assert link.asked == [("rack-1", "int4_v1", ReplayAsk(most=128, prompts=True, by="ada"))]
        [told] = read(folder / NAME)
        assert told.replay
        assert {one.prompt for one in told.replay.prompts} == {WORDS}
        await deck.press("v", "v")
        assert "my secret" not in deck.text


async def test_where_they_are_refused_there_is_no_file(folder: Path) -> None:
    link = link_with()
    link.pages[REPLAY] = ForbiddenError("You are a viewer.", "Ask an operator.")
    async with running(link, clock=Clock(LATER)) as deck:
        await press(deck, "E")
        await deck.press("enter")
        await deck.shows("x Not allowed: You are a viewer.", "Ask an operator.", "Enter write")
        assert list(folder.iterdir()) == []
        link.pages[REPLAY] = replayed(WORDS)
        await deck.press("enter")
        await deck.shows("written: ")


async def test_a_viewer_and_a_read_only_console_write_what_they_read(folder: Path) -> None:
    async with running(link_with("viewer"), clock=Clock(LATER)) as deck:
        await press(deck, "e")
        await deck.press("enter")
        await deck.shows("written: ")
    (folder / NAME).unlink()
    async with running(link_with(), clock=Clock(LATER), readonly=True) as deck:
        await press(deck, "e")
        await deck.press("enter")
        await deck.shows("written: ")


async def test_all_gateways_that_are_shown_are_written(folder: Path) -> None:
    link = FakeLink(rack(broken_experiment()), van(experiments=(experiment(),)))
    tells(link, report())
    tells(link, report(experiment(), bad=False, host="van-7"), host="van-7")
    link.pages[REPLAY] = replayed(WORDS)
    async with running(link, clock=Clock(LATER)) as deck:
        await deck.press("i", "m")
        await deck.shows("van-7: No signal")
        await deck.press("E")
        await deck.dialog("export")
        await deck.shows("What rack-1, van-7 told")
        await deck.press("enter")
        await deck.shows("written: ")
        assert [(one.host, one.replay is None) for one in read(folder / NAME)] == [("rack-1", False), ("van-7", True)]
        assert [host for host, _, _ in link.asked] == ["rack-1"]


def test_a_hostile_name_is_no_path() -> None:
    assert default_name("../../etc/passwd\x1b]52", NOW) == "incident-_etc_passwd_52-20260601T021744Z.json"
    assert len(default_name("x" * 500, NOW)) < 100
    assert default_name("", NOW) == "incident--20260601T021744Z.json"


def test_half_a_file_does_not_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, mode: str) -> None:
        os.close(descriptor)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(InputError, match="No space left"):
        write_incident(folder / "case.json", [report()])
    assert list(folder.iterdir()) == []
