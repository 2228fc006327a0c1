"""Fault 10: whatever happens to the files of the state, what was acknowledged is there, or it says that it is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from quantdeck_agent.store import StateBusyError, StateDamagedError, StateNewerError, StateUnusableError, Store
from quantdeck_core.protocol.experiment import TimelineEntry
from quantdeck_core.protocol.requests import Applied
from support.states import NAMES, Contents, contents, copy_state, fill, open_contents

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is to be had: thousands of states are opened here, and each waits for its disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path, prefix="qd-") as folder:
        yield Path(folder)


@dataclass
class Saved:
    """Files of one state, and what is in them."""

    folder: Path
    contents: Contents


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """An agent that ended in order: everything is in the database's own file."""
    folder = tmp_path_factory.mktemp("ended")
    store = Store(folder / "agent.db")
    fill(store)
    saved = Saved(folder, contents(store))
    store.close()
    assert not (folder / "agent.db-wal").exists()
    return saved


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """An agent that was killed: all of it is in the write-ahead log still."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "live").mkdir()
    store = Store(folder / "live" / "agent.db")
    fill(store)
    copy_state(folder / "live", folder / "copy")
    saved = Saved(folder / "copy", contents(store))
    store.close()
    assert (folder / "copy" / "agent.db-wal").stat().st_size > 10_000
    return saved


@pytest.fixture(params=["ended", "killed"])
def saved(request: pytest.FixtureRequest) -> Saved:
    found: Saved = request.getfixturevalue(request.param)
    return found


def places(saved: Saved) -> list[Path]:
    return [saved.folder / name for name in NAMES if (saved.folder / name).exists()]


def assert_same_after(saved: Saved, tmp_path: Path, damage: Callable[[Path], None], *, again: bool = True) -> str:
    """Opening a damaged copy gives the state as it was committed; what it said of it."""
    database = copy_state(saved.folder, tmp_path / "damaged")
    damage(database.parent)
    found, news, _ = open_contents(database)
    assert found == saved.contents
    if again:
        found, quiet, _ = open_contents(database)
        assert found == saved.contents
        assert quiet == "", "what was mended once is sound"
    return news


def truncated(name: str, length: int) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, length)


def flipped(name: str, bits: list[int]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        for bit in bits:
            data[bit // 8] ^= 1 << (bit % 8)
        (folder / name).write_bytes(data)

    return damage


FRAME = 24 + 4096
"""A page in SQLite's write-ahead log, with its header; the log has a header of 32 bytes itself."""


def offsets(file: Path, every: int) -> list[int]:
    """Borders of some pages, frames or lines, and one in `every` of all the others."""
    size = file.stat().st_size
    start, step = {"agent.db": (0, 4096), "agent.db-wal": (32, 7 * FRAME)}.get(file.name, (0, size))
    borders = {edge + by for edge in range(start, size, step) for by in (-1, 0)}
    return sorted(offset for offset in borders | set(range(0, size, every)) if 0 <= offset < size)


def test_an_undamaged_state_opens_without_a_word(saved: Saved, tmp_path: Path) -> None:
    assert assert_same_after(saved, tmp_path, lambda _: None) == ""
    assert not (tmp_path / "damaged" / "quarantine").exists()


def test_truncated_anywhere(saved: Saved, tmp_path: Path) -> None:
    for file in places(saved):
        for offset in offsets(file, 6007):
            assert_same_after(saved, tmp_path, truncated(file.name, offset))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_truncated_at_every_offset(tmp_path: Path, name: str) -> None:
    """Of a small state, as a kill leaves it."""
    (tmp_path / "live").mkdir()
    Store(tmp_path / "live" / "agent.db").close()
    store = Store(tmp_path / "live" / "agent.db")  # its empty tables are in the database itself
    for number in range(3):
        store.note("experiment:e", TimelineEntry(t=float(number), kind="weight", text=str(number), by="ana"))
    copy_state(tmp_path / "live", tmp_path / "copy")
    saved = Saved(tmp_path / "copy", contents(store))
    store.close()
    for offset in range((saved.folder / name).stat().st_size):
        assert_same_after(saved, tmp_path, truncated(name, offset), again=False)


def flips(saved: Saved, tmp_path: Path, seed: int, rounds: int) -> None:
    random = Random(seed)
    for _ in range(rounds):
        file = random.choice(places(saved))
        bits = [random.randrange(file.stat().st_size * 8) for _ in range(random.choice((1, 1, 2, 40)))]
        assert_same_after(saved, tmp_path, flipped(file.name, bits))


def test_bits_flipped_anywhere(saved: Saved, tmp_path: Path) -> None:
    flips(saved, tmp_path, 1, 100)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_bits_flipped_anywhere(saved: Saved, tmp_path: Path) -> None:
    flips(saved, tmp_path, 2, 1000)


def test_every_bit_of_the_database_header(ended: Saved, tmp_path: Path) -> None:
    """Page size, versions, the schema's number: what SQLite and this program decide by."""
    for byte in range(100):
        assert_same_after(ended, tmp_path, flipped("agent.db", [byte * 8 + byte % 8]))


@pytest.mark.parametrize("name", NAMES)
def test_gone_or_something_else_in_its_place(killed: Saved, tmp_path: Path, name: str) -> None:
    def folder_instead(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()
        (folder / name / "x").write_text("y")

    def nowhere(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to("nowhere/at/all")

    def pipe(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    for damage in (lambda folder: (folder / name).unlink(), folder_instead, nowhere, pipe, truncated(name, 0)):
        assert "made again" in assert_same_after(killed, tmp_path, damage)


def test_a_database_of_last_week_is_not_believed(killed: Saved, ended: Saved, tmp_path: Path) -> None:
    """A log that was cut leaves a database that is sound and too old: it would undo a rollback."""

    def no_log(folder: Path) -> None:
        (folder / "agent.db-wal").unlink()

    older = copy_state(killed.folder, tmp_path / "older")
    no_log(older.parent)
    news = assert_same_after(killed, tmp_path, no_log)
    assert "made again from its second copy; nothing is lost" in news


def test_the_damaged_files_are_kept_with_the_reason(ended: Saved, tmp_path: Path) -> None:
    database = copy_state(ended.folder, tmp_path / "copy")
    whole = database.read_bytes()
    for number in range(8):
        database.write_bytes(b"%d" % number + whole[1:5000])
        found, news, level = open_contents(database)
        assert (found, level) == (ended.contents, "warn")
        assert str(database.parent / "quarantine") in news
    kept = sorted((database.parent / "quarantine").iterdir())
    assert [(case / "agent.db").read_bytes()[:1] for case in kept] == [b"3", b"4", b"5", b"6", b"7"]
    assert all("not a database" in (case / "reason.txt").read_text() for case in kept)


def test_both_damaged_is_an_empty_state_and_is_said_loudly(saved: Saved, tmp_path: Path) -> None:
    random = Random(3)
    empty = 0
    for _ in range(40):
        database = copy_state(saved.folder, tmp_path / "copy")
        for file in places(saved):
            bits = [random.randrange(file.stat().st_size * 8) for _ in range(20)]
            flipped(file.name, bits)(database.parent)
        found, news, level = open_contents(database)
        if found == saved.contents:
            continue
        assert (found, level) == ((), "fail"), "never another state than the last one or none"
        assert "so was its second copy" in news
        kept = {file.name for case in (database.parent / "quarantine").iterdir() for file in case.iterdir()}
        assert {"agent.db", "agent.journal"} <= kept
        empty += 1
    assert empty > 20


def test_a_change_that_was_being_committed_is_there_or_not_but_whole(killed: Saved, tmp_path: Path) -> None:
    """Killed between the journal and the database: the journal is one change ahead."""
    folder = tmp_path / "live"
    folder.mkdir()
    store = Store(folder / "agent.db")
    fill(store)
    before = copy_state(folder, tmp_path / "before")
    store.delete("experiment", "e")
    shutil.copyfile(folder / "agent.journal", before.parent / "agent.journal")
    after = contents(store)
    store.close()
    assert open_contents(before) == (after, "", "warn")


def test_a_log_that_lost_its_end_beside_a_damaged_journal_is_not_taken_for_the_last_state(
    killed: Saved, tmp_path: Path
) -> None:
    """Both are damaged, and what is left of the database is sound: it is known to be too old all the same."""
    database = copy_state(killed.folder, tmp_path / "copy")
    whole = (killed.folder / "agent.db-wal").stat().st_size
    os.truncate(database.parent / "agent.db-wal", whole - 12 * FRAME)
    flipped("agent.journal", [8 * 300])(database.parent)
    found, news, level = open_contents(database)
    assert (found, level) == ((), "fail")
    assert "later ones were acknowledged" in news


def test_a_torn_line_counts_not(ended: Saved, tmp_path: Path) -> None:
    for tail in (b'0123456789abcdef {"schema":2,"ser', b'0123456789abcdef {"schema":2,"ser' + bytes(5000)):

        def torn(folder: Path, tail: bytes = tail) -> None:
            with (folder / "agent.journal").open("ab") as file:
                file.write(tail)

        assert assert_same_after(ended, tmp_path, torn) == ""


WRITER = """
import sys
from pathlib import Path
from quantdeck_agent.store import Store
from quantdeck_core.protocol.requests import Applied
store = Store(Path(sys.argv[1]))
number = max((one.revision for one in store.all("thing", Applied).values()), default=0)
while True:
    number += 1
    with store.transaction():
        store.put("thing", "a", Applied(revision=number, detail="x" * 9000))
        store.put("thing", "b", Applied(revision=number))
    print(number, flush=True)
"""


def test_killed_while_it_writes_it_has_all_that_it_acknowledged(tmp_path: Path) -> None:
    random = Random(5)
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "agent.db")], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout
        for _ in range(random.randrange(3, 60)):
            writer.stdout.readline()
        writer.kill()
        said = [int(line) for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
        store = Store(tmp_path / "agent.db")
        things = store.all("thing", Applied)
        assert things["a"].revision == things["b"].revision
        assert not said or things["a"].revision - said[-1] in (0, 1)
        assert store.recovered == ""
        store.close()
    assert things["a"].revision > 18


def test_damage_under_a_running_agent_is_mended_from_the_journal(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    fill(store)
    before = contents(store)
    told: list[tuple[str, str]] = []
    store.watch(lambda level, text: told.append((level, text)))
    store._db._db.execute("UPDATE timeline SET text = 'other' WHERE seq = 2")
    assert [entry.text for entry in store.timeline("engine:q4")] == ["q4: gestartet"]
    assert contents(store) == before
    assert [level for level, _ in told] == ["warn"]
    assert "does not match its checksum" in told[0][1]
    store.close()


def test_damage_that_a_change_finds_is_mended_and_the_change_may_be_repeated(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    fill(store)
    before = contents(store)
    store._db._db.execute("UPDATE record SET body = '{}' WHERE kind = 'experiment'")
    with pytest.raises(StateDamagedError, match="does not match its checksum"), store.transaction():
        store.delete("experiment", "e")
    assert contents(store) == before
    # Also where the copy is written anew from rows of which one is wrong.
    store._db._db.execute("UPDATE record SET body = '{}' WHERE kind = 'experiment'")
    (tmp_path / "agent.journal").unlink()
    with pytest.raises(StateDamagedError):
        store.put("thing", "a", Applied(revision=1))
    store.close()


def test_a_copy_that_somebody_deleted_is_made_again_with_the_next_change(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    fill(store)
    (tmp_path / "agent.journal").unlink()
    store.delete("experiment", "e")
    after = contents(store)
    store.close()
    (tmp_path / "agent.db").unlink()
    found, news, _ = open_contents(tmp_path / "agent.db")
    assert found == after
    assert "it is not there" in news


def test_the_journal_stays_short(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    for number in range(1500):
        store.put("thing", "a", Applied(revision=number, detail="x" * 500))
    assert (tmp_path / "agent.journal").stat().st_size < 600_000
    store.close()
    (tmp_path / "agent.db").unlink()
    store = Store(tmp_path / "agent.db")
    assert store.all("thing", Applied)["a"].revision == 1499
    store.close()


def test_permissions_are_no_damage(ended: Saved, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    database = copy_state(ended.folder, tmp_path / "copy")
    database.chmod(0o000)
    with pytest.raises(StateUnusableError, match="right to read and write"):
        Store(database)
    database.chmod(0o600)
    assert open_contents(database) == (ended.contents, "", "warn")


def test_a_newer_state_is_left_alone_and_stays_what_it_is(ended: Saved, tmp_path: Path) -> None:
    database = copy_state(ended.folder, tmp_path / "copy")
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    (database.parent / "agent.journal").unlink()
    before = database.read_bytes()
    with pytest.raises(StateNewerError, match="schema 99, this one knows 2"):
        Store(database)
    assert database.read_bytes() == before


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    store = Store(tmp_path / "agent.db")
    with pytest.raises(StateBusyError, match=rf"\(PID {os.getpid()}\)"):
        Store(tmp_path / "agent.db")
    store.close()
