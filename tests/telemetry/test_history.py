"""An hour in memory, a week on disk, and what is missing stays missing."""

from __future__ import annotations

import math
import sqlite3
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_agent.telemetry import minutes as minutes_module
from quantdeck_agent.telemetry import recent as recent_module
from quantdeck_agent.telemetry.history import History
from quantdeck_agent.telemetry.minutes import KEPT_S, TIDY_EVERY_S, Minutes
from quantdeck_agent.telemetry.points import Point, merged, point
from quantdeck_agent.telemetry.recent import Recent, Ring

T0 = 1_795_540_020
"""The start of a minute."""


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db")


def fill(history: History, start: int, seconds: int, name: str = "gpu/0/temperature_c") -> None:
    for n in range(seconds):
        history.put(start + n + 0.3, {name: float(n)})


def test_an_hour_by_the_second(history: History) -> None:
    fill(history, T0, 10)
    history.put(T0 + 10, {"gpu/0/temperature_c": None, "host/load_1m": 1.5})
    history.put(T0 + 12, {"gpu/0/temperature_c": math.nan})
    history.put(T0 + 13, {"gpu/0/temperature_c": 7.0})
    answer = history.read(["gpu/0/temperature_c", "host/load_1m"], T0 + 8, 1, T0 + 13)
    assert (answer.start, answer.step) == (T0 + 8, 1)
    assert answer.series["gpu/0/temperature_c"].last == [8.0, 9.0, None, None, None, 7.0]
    assert answer.series["host/load_1m"].mean == [None, None, 1.5, None, None, None]
    assert history.names() == ["gpu/0/temperature_c", "host/load_1m"]


def test_steps_are_least_mean_most_and_last(history: History) -> None:
    fill(history, T0, 30)
    history.put(T0 + 35, {"gpu/0/temperature_c": 5.0})
    one = history.read(["gpu/0/temperature_c"], T0, 20, T0 + 39).series["gpu/0/temperature_c"]
    assert (one.min, one.max, one.last) == ([0.0, 5.0], [19.0, 29.0], [19.0, 5.0])
    assert one.mean == [9.5, pytest.approx((sum(range(20, 30)) + 5) / 11)]


async def test_minutes_are_written_once_whole_and_survive_the_agent(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    fill(history, T0, 130)
    await history.flush(T0 + 130)
    history.close()
    again = History(tmp_path / "history.db")
    assert again.names() == ["gpu/0/temperature_c"]
    read = again.read(["gpu/0/temperature_c"], T0 - 7200, 60, T0 + 130)
    assert read.series["gpu/0/temperature_c"].last[-4:] == [None, 59.0, 119.0, None]
    assert read.series["gpu/0/temperature_c"].mean[-3:-1] == [29.5, 89.5]
    again.close()


async def test_a_week_is_read_from_disk_and_the_last_minutes_from_memory(history: History) -> None:
    fill(history, T0, 300)
    await history.flush(T0 + 125)
    one = history.read(["gpu/0/temperature_c"], T0 - 6000, 60, T0 + 299).series["gpu/0/temperature_c"]
    assert one.last[-5:] == [59.0, 119.0, 179.0, 239.0, 299.0]
    assert one.last[:-5] == [None] * 100
    two = history.read(["gpu/0/temperature_c"], T0 - 6000, 120, T0 + 299).series["gpu/0/temperature_c"]
    assert [one for one in two.max if one is not None] in ([59.0, 179.0, 299.0], [119.0, 239.0, 299.0])


async def test_a_clock_that_is_set_back(history: History) -> None:
    fill(history, T0 + 7200, 90)
    await history.flush(T0 + 7290)
    fill(history, T0, 90)
    await history.flush(T0 + 90)
    one = history.read(["gpu/0/temperature_c"], T0, 10, T0 + 89).series["gpu/0/temperature_c"]
    assert one.last == [9.0, 19.0, 29.0, 39.0, 49.0, 59.0, 69.0, 79.0, 89.0]


@given(st.lists(st.tuples(st.integers(0, 4000), st.floats(-1e6, 1e6, width=32)), max_size=80))
def test_a_ring_is_a_dictionary_of_the_last_hour(steps: list[tuple[int, float]]) -> None:
    ring, true, second = Ring(0), dict[int, float](), 0
    for wait, value in steps:
        second += wait
        ring.put(second, value)
        true[second] = value
    for at in {*true, *range(max(0, second - 4000), second + 10, 97)}:
        expected = true.get(at) if second - 3600 < at <= second else None
        found = ring.at(at)
        assert found == expected if expected is not None else math.isnan(found)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=4), max_size=6))
def test_points_of_points_are_points_of_all(parts: list[list[float]]) -> None:
    whole = point(value for part in parts for value in part)
    put_together = merged(one for part in parts if (one := point(part)))
    if whole is None or put_together is None:
        assert whole is put_together is None
    else:
        assert put_together[:1] + put_together[2:] == whole[:1] + whole[2:]
        assert put_together.mean == pytest.approx(whole.mean, abs=1e-6)


def test_what_is_kept_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_module, "MOST_SERIES", 3)
    recent = Recent()
    for n in range(5):
        recent.put(T0, f"engine/{n}/running", 1.0)
    assert (len(recent.names()), recent.refused) == (3, 2)
    recent.put(T0 + 3600, "engine/9/running", 1.0)  # those of an hour ago make room
    assert recent.names() == ["engine/9/running"]
    recent.put(T0, "engine/none/running", None)
    assert "engine/none/running" not in recent.names()


def test_a_series_takes_what_the_docs_say() -> None:
    ring = Ring(T0)
    assert sys.getsizeof(ring._values) + sys.getsizeof(ring) == pytest.approx(14_400, abs=300)


P = Point(1.0, 2.0, 3.0, 2.0, 60)


def test_a_week_is_kept(tmp_path: Path) -> None:
    minutes = Minutes(tmp_path / "history.db")
    minutes.write(T0, {"a": P, "b": P})
    minutes.write(T0 + KEPT_S, {"a": P})
    assert sorted(minutes.read("a", 0, 2**40)) == [T0, T0 + KEPT_S]
    minutes.write(T0 + KEPT_S + TIDY_EVERY_S, {"a": P})
    assert sorted(minutes.read("a", 0, 2**40)) == [T0 + KEPT_S, T0 + KEPT_S + TIDY_EVERY_S]
    assert minutes.names() == ["a"]
    minutes.close()


def test_the_file_is_bounded(tmp_path: Path) -> None:
    minutes = Minutes(tmp_path / "history.db", most_bytes=100_000)
    for n in range(40):
        minutes.write(T0 + n * TIDY_EVERY_S, {f"series/{m}": P for m in range(200)})
    assert minutes.size <= 100_000 + 200 * 60
    kept = sorted(minutes.read("series/7", 0, 2**40))
    assert kept
    assert kept[-1] == T0 + 39 * TIDY_EVERY_S
    assert kept[0] > T0
    assert minutes.note == ""
    minutes.close()


@pytest.mark.parametrize("damage", ["garbage", "torn", "other schema"])
def test_a_damaged_file_is_set_aside_and_begun_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "history.db"
    minutes = Minutes(path)
    for n in range(50):
        minutes.write(T0 + n * 60, {f"series/{m}": P for m in range(50)})
    minutes.close()
    whole = path.read_bytes()
    if damage == "other schema":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        path.write_bytes(b"no database at all, " * 400 if damage == "garbage" else whole[:4096] + b"\xff" * 60_000)
    damaged = path.read_bytes()
    minutes = Minutes(path)
    minutes.write(T0, {"a": P})
    minutes.write(T0 + 60, {"a": P})
    assert sorted(minutes.read("a", 0, 2**40))[-1] == T0 + 60
    assert minutes.names() == ["a"]
    assert path.with_suffix(".damaged").read_bytes()[:4096] == damaged[:4096]
    minutes.close()


def test_a_full_disk_loses_minutes_and_nothing_else(tmp_path: Path) -> None:
    minutes = Minutes(tmp_path / "history.db")
    minutes.write(T0, {"a": P})
    assert minutes._db is not None
    (pages,) = minutes._db.execute("PRAGMA page_count").fetchone()
    minutes._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then fails as it does on a full disk
    minutes.write(T0 + 60, {f"series/{n}": P for n in range(2000)})
    assert minutes.note == "history.db is not written: database or disk is full"
    assert minutes.names() == ["a"]
    minutes._db.execute("PRAGMA max_page_count = 1000000")
    minutes.write(T0 + 120, {f"series/{n}": P for n in range(2000)})
    assert (minutes.note, len(minutes.names())) == ("", 2001)
    minutes.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    minutes = Minutes(tmp_path / "nowhere" / "history.db")
    minutes.write(T0, {"a": P})
    assert "unable to open" in minutes.note
    assert (minutes.names(), minutes.read("a", 0, 2**40), minutes.size) == ([], {}, 0)
    (tmp_path / "nowhere").mkdir()
    minutes.write(T0, {"a": P})
    assert (minutes.names(), minutes.note) == (["a"], "")
    minutes.close()


def test_bytes_of_a_minute(tmp_path: Path) -> None:
    """The docs say how large the file grows."""
    minutes = Minutes(tmp_path / "history.db")
    odd = Point(1.1, 2.2, 3.3, 4.4, 60)
    for n in range(100):
        minutes.write(T0 + n * 60, {f"engine/assistant/{m}": odd for m in range(100)})
    assert minutes.size / 10_000 < 75
    assert 350 * 10_080 * minutes.size / 10_000 < minutes_module.MOST_BYTES
    minutes.close()
