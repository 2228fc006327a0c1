"""Fault 9: a full disk refuses changes and nothing else; a rollback is never what it refuses."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from gateway.lab.process import Gateway
from quantdeck_agent.experiments.controller import KIND, Controller
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.experiments.unsaved import Unsaved
from quantdeck_agent.store import StateUnusableError, StateWriteError, Store
from quantdeck_agent.store.reserve import RESERVE_BYTES
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.deployment import wait_until_ready
from quantdeck_console.profile_source import load_profile
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.errors import RemoteError
from quantdeck_core.protocol.gateway import Arm, ExperimentRoute, GatewayConfig, Replica
from quantdeck_core.protocol.requests import Applied, ChangeWeight, CreateExperiment, Deploy, Rollback
from quantdeck_core.rollout.machine import LatchCleared, RollbackAsked, WeightAsked
from quantdeck_core.rollout.state import RolloutState
from support.agents import AgentProcess, short_folder, status_when
from support.small_disk import SmallDisk, small_disk
from support.states import contents, fill


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """Too small for a reserve."""
    with short_folder() as folder, small_disk(folder / "state", 8) as disk:
        yield disk


@pytest.fixture
def larger_disk() -> Iterator[SmallDisk]:
    """Large enough for a reserve."""
    with short_folder() as folder, small_disk(folder / "state", 24) as disk:
        yield disk


def big(number: int) -> Applied:
    return Applied(revision=number, detail="x" * 50_000)


def test_a_full_disk_refuses_the_change_and_keeps_the_rest(disk: SmallDisk) -> None:
    store = Store(disk.folder / "agent.db")
    told: list[tuple[str, str]] = []
    store.watch(lambda level, text: told.append((level, text)))
    fill(store)
    before = contents(store)
    disk.fill()
    for number in range(5):
        with pytest.raises(StateWriteError) as caught:
            store.put("thing", "a", big(number))
        assert caught.value.http_status == 507
        assert f"The state in {disk.folder} cannot be written: the disk is full; 0." in caught.value.detail
        assert "df -h" in caught.value.hint
        assert contents(store) == before
    assert [level for level, _ in told] == ["fail"], "said once, not with every attempt"
    store.close()
    store = Store(disk.folder / "agent.db")  # nothing has to be written to open it
    assert contents(store) == before
    assert store.recovered == ""
    store.watch(lambda level, text: told.append((level, text)))
    with pytest.raises(StateWriteError):
        store.put("thing", "a", big(9))
    disk.empty()
    store.put("thing", "a", big(10))
    assert told[-1] == ("warn", f"The state in {disk.folder} can be written again.")
    assert store.all("thing", Applied) == {"a": big(10)}
    store.close()


def test_a_disk_that_is_read_only_is_an_error_for_people_and_no_damage(disk: SmallDisk) -> None:
    store = Store(disk.folder / "agent.db")
    fill(store)
    before = contents(store)
    store.close()
    disk.read_only(True)
    with pytest.raises(StateUnusableError, match="Read-only file system") as caught:
        Store(disk.folder / "agent.db")
    assert "mounted read-write" in caught.value.hint
    disk.read_only(False)
    store = Store(disk.folder / "agent.db")
    assert contents(store) == before
    assert store.recovered == ""
    store.close()


def test_a_disk_that_is_almost_full_rings_once(disk: SmallDisk) -> None:
    store = Store(disk.folder / "agent.db")
    told: list[str] = []
    store.watch(lambda level, _: told.append(level))
    for number in range(5):
        disk.fill()
        with pytest.raises(StateWriteError):
            store.put("thing", "a", big(number))
        disk.empty()
        store.put("thing", "a", big(number))
    assert told == ["fail", "warn"]
    store.close()


def test_killed_on_a_full_disk_and_opened_there(disk: SmallDisk) -> None:
    """All of the state is in the write-ahead log, as after a kill."""
    store = Store(disk.folder / "agent.db")
    fill(store)
    before = contents(store)
    copy = disk.folder / "copy"
    copy.mkdir()
    for name in ("agent.db", "agent.db-wal", "agent.journal"):
        (copy / name).write_bytes((disk.folder / name).read_bytes())
    disk.fill()
    again = Store(copy / "agent.db")
    assert contents(again) == before
    with pytest.raises(StateWriteError):
        again.put("thing", "a", big(1))
    again.close()
    store.close()


def test_the_reserve_is_for_what_is_urgent(larger_disk: SmallDisk) -> None:
    reserve = larger_disk.folder / "agent.reserve"
    store = Store(larger_disk.folder / "agent.db")
    assert reserve.stat().st_blocks * 512 == RESERVE_BYTES
    larger_disk.fill()
    with pytest.raises(StateWriteError):
        store.put("thing", "a", big(1))
    assert reserve.exists()
    with store.transaction(urgent=True):
        store.put("thing", "a", big(2))
    assert not reserve.exists()
    assert store.all("thing", Applied) == {"a": big(2)}
    larger_disk.fill()
    with pytest.raises(StateWriteError), store.transaction(urgent=True):
        store.put("thing", "a", big(3))
    assert store.all("thing", Applied) == {"a": big(2)}
    larger_disk.empty()
    store.put("thing", "a", big(4))
    assert reserve.exists(), "made again"
    store.close()


def test_a_rollback_holds_although_it_cannot_be_saved_and_is_saved_later(disk: SmallDisk, tmp_path: Path) -> None:
    store = Store(disk.folder / "agent.db")
    record = ExperimentRecord(
        name="e", served_name="a", control="c", treatment="t", thresholds=Thresholds(), state=RolloutState()
    )
    controller = Controller(record, store, Unsaved(tmp_path))
    controller.apply(WeightAsked(weight_bp=5000, revision=1, by="ana"), 1.0)
    while True:  # also what the log of SQLite has left
        disk.fill()
        try:
            store.put("thing", "a", big(0))
        except StateWriteError:
            break
    with pytest.raises(StateWriteError):
        controller.apply(WeightAsked(weight_bp=6000, revision=2, by="ana"), 2.0)
    assert controller.record.state.weight_bp == 5000
    controller.note(2.5, "verdict", "x" * 9000, "quantdeck")  # a line is lost, and the loop goes on
    controller.apply(RollbackAsked(by="ana", reason="it loops " + "x" * 9000), 3.0)
    assert controller.record.state.latched
    assert controller.unsaved
    assert not controller.save_again()
    with pytest.raises(StateWriteError):
        controller.apply(LatchCleared(revision=3, by="ana", reason="y"), 4.0)
    assert controller.record.state.latched
    assert store.all(KIND, ExperimentRecord)["e"].state.weight_bp == 5000
    again = Controller(store.all(KIND, ExperimentRecord)["e"], store, Unsaved(tmp_path))
    assert again.record == controller.record, "an agent that is started again knows of it"
    assert again.unsaved
    disk.empty()
    controller = again
    assert controller.save_again()
    assert list(tmp_path.iterdir()) == []
    assert not controller.save_again()
    assert store.all(KIND, ExperimentRecord)["e"].state == controller.record.state
    assert [line.kind for line in store.timeline("experiment:e")] == ["weight", "rollback"]
    store.close()


async def deploy(client: AgentClient, name: str) -> None:
    ask = Deploy(request_id=name, profile=load_profile("demo-f16"), name=name)
    await wait_until_ready(client, name, (await client.deploy(ask)).operation)


async def test_an_agent_on_a_full_disk_serves_and_rolls_back(demo_models: Path) -> None:
    with short_folder() as folder, small_disk(folder / "state", 24) as disk:
        one = AgentProcess(folder, demo_models, "--gateway", "127.0.0.1:0")
        try:
            await one.start()
            client = one.client()
            await deploy(client, "a")
            await deploy(client, "b")
            created = await client.create_experiment(
                CreateExperiment(request_id="c", name="e", control="a", treatment="b")
            )
            ask = ChangeWeight(request_id="w", by="ana", weight_bp=5000, revision=created.revision)
            weight = await client.change_weight("e", ask)
            before = await client.status()
            pids = [(engine.pid, psutil.Process(engine.pid).create_time()) for engine in before.engines]
            disk.fill()

            async def until_refused() -> None:
                changed = weight
                for number in range(50):  # SQLite's log and the journal may have room in their last blocks
                    change = msgspec.structs.replace(ask, request_id=f"w{number}", reason="x" * 999)
                    change = msgspec.structs.replace(change, weight_bp=5001 + number, revision=changed.revision)
                    changed = await client.change_weight("e", change)

            with pytest.raises(RemoteError) as caught:
                await until_refused()
            assert caught.value.info().code in ("state-write-failed", "config-not-saved")
            alarms = (await client.status()).alarms
            assert any("the disk is full" in alarm.text for alarm in alarms)

            rolled = await client.roll_back("e", Rollback(request_id="rb", by="ana", reason="it loops"))
            assert not rolled.pending
            status = await status_when(client, lambda s: s.experiments[0].effective)
            assert status.experiments[0].state.latched
            assert status.gateway
            async with httpx.AsyncClient(base_url=f"http://{status.gateway.listen}", trust_env=False) as http:
                body = {"model": "demo", "messages": [{"role": "user", "content": "x"}], "user": "u", "max_tokens": 4}
                served = load_profile("demo-f16").served_name
                reply = await http.post("/v1/chat/completions", json={**body, "model": served}, timeout=20)
            assert reply.status_code == 200
            assert reply.headers["x-quantdeck-variant"] == "control"
            assert [(engine.pid, psutil.Process(engine.pid).create_time()) for engine in status.engines] == pids

            one.kill()  # on the full disk still
            await one.start()
            status = await status_when(client, lambda s: len(s.engines) == 2 and s.experiments)
            assert status.experiments[0].state.latched, "a rollback never comes undone"
            assert [(engine.pid, psutil.Process(engine.pid).create_time()) for engine in status.engines] == pids
            await client.close()
        finally:
            one.end_everything()


def test_an_error_of_the_disk_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO as the journal is synced: the change is in neither file."""
    store = Store(tmp_path / "agent.db")
    fill(store)
    before = contents(store)
    real = os.fsync

    def broken(file: int) -> None:
        real(file)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("quantdeck_agent.store.journal.os.fsync", broken)
    with pytest.raises(StateWriteError, match="Input/output error"):
        store.put("thing", "a", big(1))
    monkeypatch.undo()
    assert contents(store) == before
    store.put("thing", "a", big(2))
    after = contents(store)
    store.close()
    with sqlite3.connect(tmp_path / "agent.db") as db:
        assert db.execute("SELECT count(*) FROM record WHERE kind = 'thing'").fetchone() == (1,)
    db.close()
    (tmp_path / "agent.db").unlink()
    store = Store(tmp_path / "agent.db")
    assert contents(store) == after
    store.close()


async def test_a_gateway_on_a_full_disk_lowers_weights_and_refuses_to_raise_them(disk: SmallDisk) -> None:
    gateway = Gateway(disk.folder)
    try:
        replicas = [Arm(replicas=(Replica(name=name, url="http://127.0.0.1:9"),)) for name in ("c", "t")]
        route = ExperimentRoute(name="e", served_name="a", weight_bp=5000, control=replicas[0], treatment=replicas[1])
        revision = await gateway.serve(route)
        disk.fill()
        for number, (weight, treatment, status) in enumerate(
            ((6000, replicas[1], 507), (4000, Arm(), 507), (4000, replicas[1], 200), (0, Arm(), 200)), 1
        ):
            asked = msgspec.structs.replace(route, weight_bp=weight, treatment=treatment)
            reply = await gateway.put(GatewayConfig(revision=revision + number, experiments=(asked,)))
            assert reply.status == status, (weight, reply)
        assert (await gateway.status()).routes[0].weight_bp == 0
        disk.empty()
        assert await gateway.serve(msgspec.structs.replace(route, weight_bp=100)) > revision
    finally:
        assert gateway.end() == 0
