"""The file of measurements."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from quantdeck_core.memory.serving import Serving
from quantdeck_ledger.ledger import SCHEMA_VERSION, Ledger, LedgerError
from quantdeck_ledger.place import default_ledger_path
from support.loads import SERVING, load


def test_what_was_recorded_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "m.sqlite"
    first = load(total=5, kv=3, sources=("nvml", "log"))
    second = load(t=50.0, weights=7, model="other", serving=Serving(engine="vllm", max_num_seqs=7), device="l4")
    with Ledger(path, write=True) as ledger:
        numbers = [ledger.record(first), ledger.record(second)]
    with Ledger(path, write=False) as ledger:
        assert ledger.entries() == ((numbers[1], second), (numbers[0], first))
        assert [entry.load for entry in ledger.entries("other")] == [second]
        assert ledger.entries("nothing") == ()


def test_the_newest_of_each_kind_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "KEPT", 3)
    with Ledger(tmp_path / "m.sqlite", write=True) as ledger:
        rare = ledger.record(load(t=0.0, engine_version="b9"))
        for number in range(6):
            ledger.record(load(t=100.0 + number, total=number))
        kept = ledger.entries()
    assert kept[0].id == rare
    assert [entry.load.measured.total for entry in kept[1:]] == [3, 4, 5]


def test_there_is_an_end_to_it_whatever_the_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "KEPT_IN_ALL", 4)
    with Ledger(tmp_path / "m.sqlite", write=True) as ledger:
        for number in range(1, 7):
            flags = msgspec.structs.replace(SERVING, max_num_seqs=number)
            ledger.record(load(t=float(number), serving=flags))
        assert [entry.load.t for entry in ledger.entries()] == [3.0, 4.0, 5.0, 6.0]


def test_forgetting(tmp_path: Path) -> None:
    with Ledger(tmp_path / "m.sqlite", write=True) as ledger:
        numbers = [ledger.record(load(t=float(t))) for t in range(4)]
        assert ledger.forget([numbers[1], numbers[1], 999]) == 1
        assert [entry.id for entry in ledger.entries()] == [numbers[0], *numbers[2:]]
        assert ledger.forget(None) == 3
        assert ledger.record(load()) not in numbers


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each opens the file itself, the first of them makes it; a reader never sees half of anything."""
    path = tmp_path / "m.sqlite"

    def write(number: int) -> None:
        for turn in range(2):
            with Ledger(path, write=True) as ledger:
                ledger.record(load(t=float(turn), title=str(number), device=f"gpu-{number}"))
            with Ledger(path, write=False) as ledger:
                assert ledger.entries()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    with Ledger(path, write=False) as ledger:
        assert len(ledger.entries()) == 12


def test_it_survives_a_power_cut_as_far_as_sqlite_can(tmp_path: Path) -> None:
    with Ledger(tmp_path / "m.sqlite", write=True) as ledger:
        assert tuple(ledger._db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
        assert tuple(ledger._db.execute("PRAGMA synchronous").fetchone()) == (2,)
        assert tuple(ledger._db.execute("PRAGMA user_version").fetchone()) == (SCHEMA_VERSION,)


@pytest.mark.parametrize("write", [True, False])
def test_what_cannot_be_used_is_said(tmp_path: Path, write: bool) -> None:
    noise = tmp_path / "noise.sqlite"
    noise.write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerError, match=r"noise\.sqlite.*not a database"):
        Ledger(noise, write=write)
    future = tmp_path / "future.sqlite"
    with sqlite3.connect(future) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(LedgerError, match="newer quantdeck"):
        Ledger(future, write=write)
    with pytest.raises(LedgerError, match="cannot be kept"):
        Ledger(noise / "below" / "m.sqlite", write=write)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE load SET serving = '{'",
        'UPDATE load SET serving = \'{"engine": "vllm", "tensor_parallel": 0}\'',
        "UPDATE load SET planned_kv = 'much'",
        "UPDATE load SET sources = 'hearsay'",
        "UPDATE load SET total = -5",
        "DROP TABLE load",
    ],
)
def test_damaged_rows_are_said(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "m.sqlite"
    with Ledger(path, write=True) as ledger:
        ledger.record(load(total=1))
        ledger._db.execute(damage)
    with Ledger(path, write=False) as ledger, pytest.raises(LedgerError, match="Measurements cannot be kept"):
        ledger.entries()


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        Ledger(tmp_path / "m.sqlite", write=False)
    assert not list(tmp_path.iterdir())


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTDECK_LEDGER", "/a/b.sqlite")
    assert default_ledger_path() == Path("/a/b.sqlite")
    monkeypatch.delenv("QUANTDECK_LEDGER")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_ledger_path() == Path("/state/quantdeck/measurements.sqlite")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/u")
    assert default_ledger_path() == Path("/home/u/.local/state/quantdeck/measurements.sqlite")
