"""The way back, end to end: a drill from the command line, and a rollback that waits for a control that was stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from quantdeck_console.commands import drill as command
from quantdeck_console.link.alert_client import AlertClient
from quantdeck_core.protocol.alerts import Page
from support.deck import Deck, changed, deck
from support.played_engine import PlayedEngine


async def test_a_drill_from_the_command_line(
    demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with deck(demo_models) as host:
        await host.deploy(changed(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", 5000)
        fleet = tmp_path / "fleet.toml"
        fleet.write_text(f'[[host]]\nname = "here"\nsocket = "{host.agent.socket()}"\n')
        code = await asyncio.to_thread(command.main, ["e", "--live", "--json", "--fleet", str(fleet)])
        shown = json.loads(capsys.readouterr().out)["here"]["drill"]
        assert (code, shown["passed"], shown["weight_bp"]) == (0, True, 5000)
        state = await host.state()
        assert state.state.weight_bp == 5000
        assert state.rollback.can
        assert state.rollback.last_drill
        assert state.rollback.expected_s == shown["zero_ms"] / 1000
        assert any(line.kind == "drill" for line in state.timeline)
        await host.agent.again()
        await host.when(lambda status: status.experiments and status.experiments[0].rollback.last_drill)


async def test_a_rollback_waits_for_a_control_that_is_started_for_it(demo_models: Path, tmp_path: Path) -> None:
    played = PlayedEngine(tmp_path / "played")
    async with deck(demo_models) as host:
        await host.deploy(played.profile(), "control")
        await host.deploy(changed("demo-q8"), "treatment")
        await host.experiment("control", "treatment", 10_000)
        await host.when(lambda status: all(one.model_sha256 for one in status.engines))
        await host.when(lambda status: status.experiments[0].rollback.can)
        await host.stop("control")
        cold = (await host.when(lambda status: not status.experiments[0].rollback.can)).experiments[0].rollback
        assert cold.cold
        assert cold.expected_s is not None
        played.plays(waits=True)
        with pytest.raises(AssertionError):
            await host.roll_back("the treatment loops")
        assert (await host.state()).state.pending
        with pytest.raises(AssertionError):
            await host.roll_back("asked again, since the first answer was lost")
        await host.when(lambda status: "it is being started" in status.experiments[0].rollback.why)
        played.plays()
        await host.when(lambda status: status.experiments[0].state.latched)
        assert (await host.state()).state.weight_bp == 0
        pages = await _pages_when(host, lambda pages: pages[-1].key == "test/e/rollback")
        assert [(one.key, bool(one.ended)) for one in pages if one.experiment] == [
            ("test/e/pending", True),
            ("test/e/rollback", False),
        ]
        await host.clear()
        await _pages_when(host, lambda pages: pages[-1].outcome.startswith("rollback cleared"))


async def _pages_when(host: Deck, condition: Callable[[tuple[Page, ...]], bool]) -> tuple[Page, ...]:
    client = AlertClient("test", httpx.AsyncHTTPTransport(uds=str(host.agent.socket())))
    try:
        async with asyncio.timeout(10):
            while not condition(pages := (await client.alerts()).pages):
                await asyncio.sleep(0.05)
        return pages
    finally:
        await client.close()
