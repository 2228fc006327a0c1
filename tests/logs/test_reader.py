"""Logs are read from their end, followed across rotations, in bounded memory."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.writers import writer
from quantdeck_agent.logs.files import LogFiles, LogUnknownError
from quantdeck_agent.logs.keeper import LogKeeper
from quantdeck_agent.logs.lines import CUT, MAX_LINE_BYTES, LineCutter
from quantdeck_agent.logs.own import OwnLog, OwnReader
from quantdeck_agent.logs.reader import LogReader
from quantdeck_agent.logs.rotation import Limits
from quantdeck_core.protocol.logs import LogLine

SMALL = Limits(max_bytes=64 << 10, kept=3, room_bytes=0)


def texts(lines: object) -> list[str]:
    return [line.text for line in lines]  # type: ignore[attr-defined]


@given(st.lists(st.binary()), st.integers(1, 50))
def test_lines_do_not_depend_on_how_their_bytes_arrive(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    at_once, in_pieces = LineCutter(), LineCutter()
    whole = at_once.feed(data) + at_once.end()
    pieces = [line for at in range(0, len(data), size) for line in in_pieces.feed(data[at : at + size])]
    assert pieces + in_pieces.end() == whole
    assert len(whole) == data.count(b"\n") + (not data.endswith(b"\n") if data else 0)


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    cutter = LineCutter()
    lines = []
    for _ in range(200):
        lines += cutter.feed(b"x" * 10_000)
    lines += cutter.feed(b"the end\nnext\n")
    assert [len(line) for line in lines] == [MAX_LINE_BYTES + len(CUT), 4]
    assert lines[0].endswith(CUT)


@pytest.fixture
def files(tmp_path: Path) -> LogFiles:
    return LogFiles(tmp_path)


def write(files: LogFiles, text: str, name: str = "engine-a.1.log") -> None:
    with (files.folder / name).open("a") as out:
        out.write(text)


def test_the_last_lines_then_what_comes(files: LogFiles) -> None:
    write(files, "1\n2\n3\nunfin")
    reader = LogReader(files, "engine:a.1", 2)
    assert list(reader.tail()) == [LogLine(source="engine:a.1", old=True, text=one) for one in "23"]
    assert list(reader.more(5.0)) == []
    write(files, "ished\nnext\n")
    assert list(reader.more(6.0)) == [
        LogLine(source="engine:a.1", t=6.0, text="unfinished"),
        LogLine(source="engine:a.1", t=6.0, text="next"),
    ]
    once = LogReader(files, "engine:a.1", 1)
    write(files, "tail")
    assert texts(once.tail()) + texts(once.more(7.0)) + texts(once.end()) == ["next", "tail"]


def test_what_a_terminal_would_not_show_is_not_read(files: LogFiles) -> None:
    write(files, "a\x1b[31mred\x1b[0m \x9b2J\x1b]52;c;eA==\x07\r\nLoading:   0%\rLoading:  50%\rLoading: 100%\n")
    assert texts(LogReader(files, "engine:a.1", 9).tail()) == ["a[31mred[0m 2J]52;c;eA==", "Loading: 100%"]


@pytest.mark.parametrize("can_collapse", [True, False])
def test_a_reader_stays_where_it_is_while_the_file_is_rotated(
    files: LogFiles, monkeypatch: pytest.MonkeyPatch, can_collapse: bool
) -> None:
    if not can_collapse:
        monkeypatch.setattr("quantdeck_agent.logs.keeper.collapse", lambda _file, _size: False)
    keeper = LogKeeper(files, set, SMALL, free=lambda _folder: 1 << 40)
    write(files, "first\n")
    reader = LogReader(files, "engine:a.1", 0)
    read: list[str] = []
    expected = [f"line {number}" for number in range(30_000)]
    for at in range(0, len(expected), 1_500):
        write(files, "\n".join(expected[at : at + 1_500]) + "\n")
        if at % 3_000 == 0:  # before and after the rotation
            read += texts(reader.more(0))
        keeper.tick(0)
    read += texts(reader.more(0))
    assert read == expected


def test_the_last_lines_reach_into_what_was_rotated_away(files: LogFiles) -> None:
    write(files, "".join(f"line {number}\n" for number in range(20_000)))
    LogKeeper(files, set, SMALL, free=lambda _folder: 1 << 40).tick(0)
    assert (files.folder / "engine-a.1.log").stat().st_size < 8_192
    assert texts(LogReader(files, "engine:a.1", 5_000).tail()) == [f"line {number}" for number in range(15_000, 20_000)]


def test_a_reader_that_is_far_behind_is_told_how_many_lines_it_lost(files: LogFiles) -> None:
    write(files, "")
    reader = LogReader(files, "engine:a.1", 0)
    write(files, "".join(f"0.00.000.001 I line {number:06}\n" for number in range(500_000)))
    first, *lines = reader.more(1.0)
    assert first.lost + len(lines) == 500_000
    assert len(lines) > 30_000
    assert lines[-1].text == "0.00.000.001 I line 499999"
    write(files, "on\n")
    assert texts(reader.more(2.0)) == ["on"]


def test_lines_that_were_rotated_out_of_reach_are_lost_and_said_so(files: LogFiles) -> None:
    keeper = LogKeeper(files, set, Limits(max_bytes=64 << 10, kept=1, room_bytes=0), free=lambda _folder: 1 << 40)
    write(files, "")
    reader = LogReader(files, "engine:a.1", 0)
    for _ in range(3):
        write(files, "0.00.000.001 I some words\n" * 6_000)
        keeper.tick(0)
    write(files, "0.00.000.002 I the end\n")
    first, *lines = reader.more(1.0)
    assert first.lost_unknown
    assert lines[-1].text == "0.00.000.002 I the end"


def test_a_file_that_somebody_emptied_is_read_from_its_beginning(files: LogFiles) -> None:
    write(files, "old\n" * 10)
    reader = LogReader(files, "engine:a.1", 0)
    (files.folder / "engine-a.1.log").write_text("2026-11-24 17:00:00 new\n")
    assert [(line.text, line.lost_unknown) for line in reader.more(1.0)] == [
        ("", True),
        ("2026-11-24 17:00:00 new", False),
    ]


def test_a_log_that_is_removed_ends_quietly(files: LogFiles) -> None:
    write(files, "old\n")
    reader = LogReader(files, "engine:a.1", 0)
    (files.folder / "engine-a.1.log").unlink()
    assert list(reader.more(1.0)) == []


@pytest.mark.parametrize("most_bytes", [512 << 10, 1 << 30])
def test_a_follower_of_a_fast_writer_gets_every_line_or_is_told(files: LogFiles, most_bytes: int) -> None:
    file = files.folder / "gateway.log"
    file.touch()
    limits = Limits(max_bytes=256 << 10, most_bytes=most_bytes, kept=3, room_bytes=0)
    keeper = LogKeeper(files, set, limits, free=lambda _folder: 1 << 40)
    reader = LogReader(files, "gateway", 0)
    numbers, lost, uncounted = [], 0, 0
    with writer(file, 100_000) as process:
        while True:
            ended = process.poll() is not None
            for line in reader.more(0):
                lost, uncounted = lost + line.lost, uncounted + line.lost_unknown
                word = line.text.split()[1:2]
                # Where lines are missing, the first one after them may have lost its beginning.
                if word and word[0].isdigit() and len(word[0]) == 9:
                    numbers.append(int(word[0]))
            if ended:
                break
            keeper.tick(0)
    assert numbers == sorted(set(numbers))
    assert len(numbers) + lost == 100_000 or uncounted


@pytest.mark.parametrize(
    "source", ["../agent", "engine:../../etc/passwd.1", "engine:a", "engine:b.1", "", "gateway.log"]
)
def test_nothing_but_logs_of_the_folder_is_read(files: LogFiles, source: str) -> None:
    write(files, "x\n")
    with pytest.raises(LogUnknownError):
        LogReader(files, source, 1)


def test_a_link_is_no_log(files: LogFiles, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key\n")
    (tmp_path / "gateway.log").symlink_to(secret)
    assert files.all() == {}
    with pytest.raises(LogUnknownError):
        LogReader(files, "gateway", 1)


def test_the_agents_own_lines_are_kept_in_memory_and_bounded() -> None:
    own = OwnLog(kept=5)
    own_logger = logging.Logger("quantdeck.test")
    own_logger.addHandler(own)
    for number in range(3):
        own_logger.warning("line %d", number)
    reader = OwnReader(own, 2)
    assert texts(reader.tail()) == ["quantdeck.test WARNING line 1", "quantdeck.test WARNING line 2"]
    own_logger.warning("a\nb\x1b[2J")
    assert texts(reader.more(0)) == ["quantdeck.test WARNING a", "b[2J"]
    for number in range(12):
        own_logger.warning("line %d", number)
    first, *lines = reader.more(0)
    assert (first.lost, len(lines)) == (7, 5)
    assert all(line.t == pytest.approx(own.written_at, abs=60) for line in lines)
