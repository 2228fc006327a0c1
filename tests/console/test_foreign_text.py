"""Faults 41 and 42: what comes from outside is text, wherever it is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_console.plain.experiment import experiment_lines
from quantdeck_console.plain.fleet import fleet_lines, fleet_of, status_lines
from quantdeck_core.errors import ErrorInfo, RemoteError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent
from quantdeck_core.protocol.experiment import TimelineEntry
from support.decks import running
from support.fake_link import FakeLink
from support.fleets import NOW, alarm, engine, experiment, failed_engine, gateway, rack, replace, rolled_back, sample
from support.incidents import page, pages, saying, tells

EVIL = "a[/oops][b]\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x85\u202eb"
SEEN = "a[/oops][b]]52;c;ZXZpbA==[2J31mb"


def evil_rack() -> object:
    bad = rolled_back(EVIL)
    bad = replace(
        bad,
        state=replace(bad.state, reason=EVIL, by=EVIL),
        timeline=(TimelineEntry(t=NOW, kind="rollback", text=EVIL, by=EVIL),),
        control=replace(bad.control, profile=EVIL, engines=(EVIL,)),
        treatment=replace(bad.treatment, profile=EVIL, engines=(EVIL,)),
        rollback=replace(bad.rollback, can=False, why=EVIL),
    )
    info = ErrorInfo(code="x", title=EVIL, detail=EVIL, hint=EVIL)
    return rack(
        bad,
        name=EVIL,
        agent_version=EVIL,
        sample=sample(gpu_note=EVIL),
        gateway=gateway(listen=EVIL, rungs={EVIL: 4}),
        engines=(engine(EVIL, model=EVIL, note=EVIL), replace(failed_engine(), name=EVIL, error=info)),
        alarms=(alarm(1, EVIL),),
    )


def harmless(text: str) -> bool:
    return not any((ord(char) < 32 and char != "\n") or 0x7F <= ord(char) < 0xA0 or char == "\u202e" for char in text)


async def test_every_screen_draws_it_literally() -> None:
    status = evil_rack()
    async with running(FakeLink(status), ready="TTFT95", size=(120, 36)) as deck:  # type: ignore[arg-type]
        await deck.shows(SEEN)
        assert harmless(deck.text)
        deck.link.say(EVIL, AlarmEvent(revision=2, alarm=alarm(2, EVIL)))
        assert harmless(deck.app.terminal_title)
        await deck.press("y")
        await deck.shows(f"copied: {SEEN}")
        assert harmless(deck.app.clipboard)
        await deck.press("enter")
        await deck.shows("TIMELINE", SEEN)
        assert harmless(deck.text)
        await deck.press("w")
        await deck.dialog("weight")
        info = ErrorInfo(code="x", title=EVIL, detail=EVIL, hint=EVIL)
        deck.link.answers[EVIL] = [RemoteError(info, 409)]
        await deck.press("5", "enter")
        await deck.shows(f"x {SEEN}: {SEEN}")
        assert harmless(deck.text)
        await deck.press("escape", "c")
        await deck.dialog("form")
        await deck.shows(SEEN)
        assert harmless(deck.text)


async def test_the_incident_pane_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status = evil_rack()
    link = FakeLink(status, replace(status, name="van-7"))  # type: ignore[arg-type,type-var]
    told = saying(EVIL, EVIL, (EVIL,) * 9)
    tells(link, told, host=EVIL, listed=pages(page(experiment=EVIL, text=EVIL, hint=EVIL, owner=EVIL)))
    info = ErrorInfo(code="x", title=EVIL, detail=EVIL, hint=EVIL)
    link.pages[("van-7", f"/v1/experiments/{EVIL}/incident")] = RemoteError(info, 409)
    link.pages[(EVIL, f"/v1/experiments/{EVIL}/replay")] = RemoteError(info, 409)
    async with running(link, ready="TTFT95", size=(120, 36)) as deck:
        await deck.press(*"/!van", "enter", "i")

        async def literal(*words: str) -> None:
            await deck.shows(SEEN, *words)
            assert harmless(deck.text)

        await literal("TIMELINE", f"* {SEEN}", f"handed over to {SEEN}")
        await deck.press("m")
        await literal("on 2 gateways", f"x van-7: {SEEN}: {SEEN}")
        await deck.press("G", "enter")
        await literal("by a[/oops]", "control: ", "changed: engine")
        await deck.press("escape", "o")
        await literal(f"page 7 of {SEEN}")
        await deck.press("escape", "v", "G", *"kkkkk")
        await literal("GROUPS")
        await deck.press("v")
        await literal("THE USER GOT")
        await deck.press("y")
        await literal("copied: ")
        assert harmless(deck.app.clipboard)
        await deck.press("p")
        await deck.dialog("replay")
        await literal(f"replay {SEEN} on ")
        await deck.press("y")
        await literal(f"x {SEEN}: {SEEN}")
        await deck.press("e")
        await deck.dialog("export")
        await literal("file incident-a_oops_b_52_c_ZXZpbA_2J_31m_b-2026")


async def test_the_rollback_dialog_and_the_link_do_too() -> None:
    half = experiment(EVIL, weight_bp=5_000)
    link = FakeLink(rack(half, name=EVIL))
    async with running(link, ready="TTFT95", size=(120, 36)) as deck:
        deck.link.say(EVIL, LinkChange(state="lost", detail=EVIL))
        await deck.shows(SEEN, "STALE ?")
        await deck.press("R")
        await deck.dialog("rollback")
        info = ErrorInfo(code="x", title=EVIL, detail=EVIL, hint=EVIL)
        link.answers[EVIL] = [RemoteError(info, 409)]
        await deck.press("y")
        await deck.shows("refused", SEEN)
        assert harmless(deck.text)


def test_plain_output_does_too() -> None:
    status = evil_rack()
    lines = [
        *fleet_lines(fleet_of([status], NOW), NOW),  # type: ignore[list-item]
        *status_lines(status, NOW),  # type: ignore[arg-type]
        *experiment_lines(EVIL, status.experiments[0]),  # type: ignore[attr-defined]
    ]
    assert all(harmless(line) and "\n" not in line for line in lines)
    assert any(SEEN in line for line in lines)
