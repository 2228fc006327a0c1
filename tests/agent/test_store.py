import sqlite3
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.store import StateBusyError, Store
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.protocol.requests import Applied


class Thing(msgspec.Struct, frozen=True):
    size: int


def test_what_was_put_is_there_after_opening_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    store.put("thing", "a", Thing(1))
    store.put("thing", "a", Thing(2))
    store.remember("r1", Applied(revision=7), now=100.0)
    store.close()
    again = Store(tmp_path / "agent.db")
    assert again.all("thing", Thing) == {"a": Thing(2)}
    assert again.answer_of("r1", Applied) == Applied(revision=7)
    again.delete("thing", "a")
    assert again.all("thing", Thing) == {}
    again.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")

    def half() -> None:
        with store.transaction():
            store.put("thing", "a", Thing(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert store.all("thing", Thing) == {}
    store.close()


def test_the_timeline_gives_the_newest_in_order(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    for number in range(30):
        store.note("e", TimelineEntry(t=float(number), kind="weight", text=str(number), by="a"))
    store.note("other", TimelineEntry(t=99.0, kind="weight", text="x", by="a"))
    assert [entry.text for entry in store.timeline("e", 3)] == ["27", "28", "29"]
    store.close()


def test_answers_are_forgotten_after_a_day(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    store.remember("old", Applied(revision=1), now=0.0)
    store.remember("new", Applied(revision=2), now=86_401.0)
    assert store.answer_of("old", Applied) is None
    assert store.answer_of("new", Applied) is not None
    store.close()


def test_a_second_store_on_the_same_file_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    with pytest.raises(StateBusyError, match="already uses"):
        Store(tmp_path / "agent.db")
    store.close()
    Store(tmp_path / "agent.db").close()


def test_a_database_from_the_future_is_left_alone(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "agent.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(InputError, match="newer quantdeck"):
        Store(tmp_path / "agent.db")


def test_it_survives_a_power_cut_as_far_as_sqlite_can(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    reader = sqlite3.connect(tmp_path / "agent.db")
    assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    reader.close()
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()
