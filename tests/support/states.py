"""States of an agent as they lie on a disk, and what is in them."""

from __future__ import annotations

import shutil
from pathlib import Path

from quantdeck_agent.engines.record import EngineRecord, LastGeneration
from quantdeck_agent.experiments.controller import Controller
from quantdeck_agent.experiments.record import ExperimentRecord
from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_agent.store import Store
from quantdeck_console.profile_source import load_profile
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.protocol.requests import Applied
from quantdeck_core.rollout.machine import RollbackAsked, WeightAsked
from quantdeck_core.rollout.state import RolloutState

NAMES = ("agent.db", "agent.db-wal", "agent.journal")
Contents = tuple[tuple[object, ...], ...]


def contents(store: Store) -> Contents:
    """Every row."""
    return tuple((change.table, change.key, change.values) for change in store._db.state())


def fill(store: Store) -> None:
    """What an agent remembers after a day: engines, an experiment that was rolled back, requests, timelines."""
    for number, name in enumerate(("fp16", "q4")):
        record = EngineRecord(
            name=name,
            generation=2,
            epoch=2,
            profile=load_profile("demo-f16"),
            model_path=f"/models/{name}.gguf",
            port=9000 + number,
            place="active",
            started_at=1_700_000_000.0 + number,
            identity=ProcessIdentity(pid=4000 + number, created=1_700_000_000.5, marker=f"/state/{name}.2"),
            ready_s=1.25,
        )
        with store.transaction():
            store.put("generation", name, LastGeneration(generation=2))
            store.put("engine", record.key, record)
        store.note(f"engine:{name}", TimelineEntry(t=1.0 + number, kind="deploy", text=f"{name}: gestartet", by="ü"))
    for number in range(20):
        store.remember(f"request-{number}", Applied(revision=number, effective_ms=1.5), now=1_700_000_000.0 + number)
    experiment = ExperimentRecord(
        name="e",
        served_name="assistant",
        control="fp16",
        treatment="q4",
        thresholds=Thresholds(),
        state=RolloutState(),
    )
    controller = Controller(experiment, store)
    for revision, weight in enumerate((500, 2500, 5000), 1):
        controller.apply(WeightAsked(weight_bp=weight, revision=revision, by="ana"), 100.0 + revision)
    store.delete("engine", "q4.2")
    controller.apply(RollbackAsked(by="ana", reason="answers loop"), 200.0)


def copy_state(source: Path, to: Path) -> Path:
    """The files of a state in a folder of their own; the database's path there."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for name in NAMES:
        if (source / name).exists():
            shutil.copyfile(source / name, to / name)
    return to / "agent.db"


def open_contents(database: Path) -> tuple[Contents, str, str]:
    """What opening a state gives: its rows, and what it says it had to mend."""
    store = Store(database)
    try:
        return contents(store), store.recovered, store.recovered_level
    finally:
        store.close()
