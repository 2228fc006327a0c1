"""What the console knows between two draws: alarms at once, the fleet as it is, rows as they were drawn."""

from __future__ import annotations

import pytest

from quantdeck_console.model.deck import MOST_WAITING, ROWS_AT_ONCE, DeckModel
from quantdeck_core.fleet.health import STALE_AFTER_S
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import AlarmEvent, EngineEvent, SampleEvent, Snapshot
from support.decks import running
from support.fake_link import Clock, FakeLink
from support.fleets import alarm, engine, failed_engine, sample, van


def model_of(*hosts: str, clock: Clock | None = None) -> DeckModel:
    """Connected hosts, caught up with."""
    model = DeckModel(hosts, clock or Clock())
    for host in hosts:
        model.receive(host, LinkChange(state="connected"))
        model.receive(host, Snapshot(revision=1, status=van(name=host)))
    model.catch_up()
    return model


def tokens(model: DeckModel, index: int = 0) -> float | None:
    return model.rows()[index].tokens_per_s


def faster(tokens_per_s: float) -> EngineEvent:
    return EngineEvent(revision=2, engine=engine("edge", tokens_per_s=tokens_per_s))


def test_rows_wait_for_the_next_draw_and_the_fleet_does_not() -> None:
    model = model_of("van-7")
    assert model.receive("van-7", faster(5.0)) == ()
    status = model.fleet.hosts["van-7"].status
    assert status is not None
    assert status.engines[0].tokens_per_s == 5.0
    assert tokens(model) == 96.0
    model.catch_up()
    assert tokens(model) == 5.0


def test_alarms_ring_at_once_each_of_them_and_each_once() -> None:
    model = model_of("van-7", "van-8")
    model.receive("van-7", faster(5.0))
    first = model.receive("van-7", AlarmEvent(revision=3, alarm=alarm(1, "disk full")))
    second = model.receive("van-7", AlarmEvent(revision=4, alarm=alarm(2, "disk broken")))
    assert [one.text for one in (*first, *second)] == ["disk full", "disk broken"]
    again = van(name="van-7", alarms=(alarm(1, "disk full"), alarm(2, "disk broken")))
    assert model.receive("van-7", Snapshot(revision=5, status=again)) == ()
    assert model.receive("van-8", faster(6.0)) == ()


def test_what_waits_is_bounded() -> None:
    model = model_of("van-7")
    for number in range(3 * MOST_WAITING):
        model.receive("van-7", SampleEvent(revision=2, sample=sample(cpu_percent=float(number % 100))))
        assert len(model._waiting) < MOST_WAITING


def test_catching_up_in_pieces_shows_one_moment_however_long_it_takes() -> None:
    hosts = [f"van-{number}" for number in range(3 * ROWS_AT_ONCE)]
    model = model_of(*hosts)
    model.receive(hosts[0], faster(5.0))
    pieces = model.catching_up()
    next(pieces)
    model.receive(hosts[0], faster(6.0))
    model.receive(hosts[-1], EngineEvent(revision=2, engine=failed_engine()))
    assert [row.name for row in model.rows()] == hosts
    assert sum(1 for _ in pieces) == 2
    assert (tokens(model), model.headline.level) == (5.0, "ok")
    model.catch_up()
    assert (model.rows()[0].name, tokens(model, 1), model.headline.hosts) == (hosts[-1], 6.0, (hosts[-1],))


def test_catching_up_gives_way_to_what_began_later() -> None:
    hosts = [f"van-{number}" for number in range(3 * ROWS_AT_ONCE)]
    model = model_of(*hosts)
    pieces = model.catching_up()
    next(pieces)
    model.receive(hosts[0], faster(5.0))
    model.catch_up()
    assert list(pieces) == []
    assert tokens(model) == 5.0


def test_silence_makes_a_row_stale() -> None:
    clock = Clock()
    model = model_of("van-7", clock=clock)
    clock.now += STALE_AFTER_S + 1
    model.catch_up()
    assert (model.rows()[0].level, model.quiet) == ("stale", False)


async def test_a_key_is_drawn_at_once_without_counting_the_fleet_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(FakeLink(van(), van(name="van-8"))) as deck:
        counted: list[str] = []
        monkeypatch.setattr(deck.app.model, "catch_up", lambda: counted.append("anew"))
        await deck.press("j")
        await deck.shows("▌van-8")
        assert counted == []


async def test_the_first_report_is_drawn_at_once() -> None:
    link = FakeLink(hosts=["van-7"])
    async with running(link, ready="connecting") as deck:
        deck.app._drawn_at = deck.app.monotonic() + 3600  # no other reason to draw soon
        link.say("van-7", LinkChange(state="connected"))
        link.say("van-7", Snapshot(revision=1, status=van()))
        await deck.pilot.pause()
        assert "OK" in deck.text
