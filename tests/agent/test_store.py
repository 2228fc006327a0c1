import sqlite3
from pathlib import Path

import msgspec
import pytest

from quantdeck_agent.store import StateBusyError, Store
from quantdeck_agent.store.store import LINES_KEPT
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
    assert store._db._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db._db.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_a_transaction_inside_another_is_part_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")

    def both() -> None:
        with store.transaction():
            with store.transaction():
                store.put("thing", "a", Thing(1))
            assert store.all("thing", Thing) == {"a": Thing(1)}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        both()
    assert store.all("thing", Thing) == {}
    store.close()


def test_a_timeline_keeps_its_newest_lines(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    with store.transaction():
        for number in range(LINES_KEPT + 5):
            store.note("e", TimelineEntry(t=float(number), kind="weight", text=str(number), by="a"))
    lines = store.timeline("e", 2 * LINES_KEPT)
    assert len(lines) == LINES_KEPT
    assert lines[0].text == "5"
    store.close()


FIRST_SCHEMA = """
CREATE TABLE record (kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE request (id TEXT PRIMARY KEY, answer BLOB NOT NULL, t REAL NOT NULL);
CREATE TABLE timeline (
    seq INTEGER PRIMARY KEY, t REAL NOT NULL, subject TEXT NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL, by TEXT NOT NULL
);
CREATE INDEX timeline_subject ON timeline (subject, seq);
PRAGMA user_version = 1;
"""


def written_by_the_first_schema(path: Path) -> None:
    """As agents before checksums did: bodies were blobs."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(FIRST_SCHEMA)
    db.execute("INSERT INTO record VALUES ('thing', 'a', ?)", (msgspec.json.encode(Thing(4)),))
    db.execute("INSERT INTO request VALUES ('r', ?, 100.0)", (msgspec.json.encode(Applied(revision=7)),))
    db.execute("INSERT INTO timeline (t, subject, kind, text, by) VALUES (5, 'e', 'weight', 'up', 'ana')")
    db.commit()
    db.close()


def test_a_database_of_the_first_schema_is_upgraded(tmp_path: Path) -> None:
    written_by_the_first_schema(tmp_path / "agent.db")
    for _ in range(2):
        store = Store(tmp_path / "agent.db")
        assert store.recovered == ""
        assert store.all("thing", Thing) == {"a": Thing(4)}
        assert store.answer_of("r", Applied) == Applied(revision=7)
        assert store.timeline("e") == (TimelineEntry(t=5.0, kind="weight", text="up", by="ana"),)
        store.close()
    (tmp_path / "agent.db").unlink()  # and it has its second copy at once
    store = Store(tmp_path / "agent.db")
    assert store.all("thing", Thing) == {"a": Thing(4)}
    store.close()


def test_an_upgrade_that_is_cut_off_leaves_the_old_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written_by_the_first_schema(tmp_path / "agent.db")
    before = (tmp_path / "agent.db").read_bytes()

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quantdeck_agent.store.schema.write_head", cut_off)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path / "agent.db")
    monkeypatch.undo()
    assert (tmp_path / "agent.db").read_bytes() == before
    store = Store(tmp_path / "agent.db")
    assert store.all("thing", Thing) == {"a": Thing(4)}
    store.close()


def test_a_damaged_database_of_the_first_schema_is_moved_away(tmp_path: Path) -> None:
    written_by_the_first_schema(tmp_path / "agent.db")
    data = bytearray((tmp_path / "agent.db").read_bytes())
    data[4096 : 4096 + 200] = bytes(200)
    (tmp_path / "agent.db").write_bytes(data)
    store = Store(tmp_path / "agent.db")
    assert store.recovered_level == "fail"
    assert store.all("thing", Thing) == {}
    assert len(list((tmp_path / "quarantine").iterdir())) == 1
    store.close()
