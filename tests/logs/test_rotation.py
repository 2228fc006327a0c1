"""Logs stay bounded while real processes write them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.writers import writer
from quantdeck_agent.logs import shorten
from quantdeck_agent.logs.files import LogFiles, copies
from quantdeck_agent.logs.keeper import LogKeeper
from quantdeck_agent.logs.rotation import Found, Limits, outdated, step_for
from quantdeck_agent.logs.tail import log_tail

SMALL = Limits(max_bytes=256 << 10, most_bytes=512 << 10, kept=3, tail_bytes=64 << 10, room_bytes=0)
_LINE = re.compile(rb"line (\d{9}) (x*)\n")


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_what_is_done_about_a_file(size: int, free: int) -> None:
    limits = Limits()
    step = step_for(size, free, limits)
    assert (step == "leave") == (size < limits.max_bytes)
    assert (step == "rotate") == (size >= limits.max_bytes and free - size >= limits.room_bytes)


@given(
    st.lists(st.tuples(st.sampled_from(["gateway", "engine:a.1", "engine:a.2", "engine:b.1"]), st.floats(0, 1e6))),
    st.sets(st.sampled_from(["engine:a.2", "engine:b.1"])),
)
def test_what_is_live_or_no_engines_is_never_removed(logs: list[tuple[str, float]], live: set[str]) -> None:
    found = [Found(source=source, written_at=t) for source, t in dict(logs).items()]
    limits = Limits(engines=1, age_s=1000)
    gone = outdated(found, live, 1e6, limits)
    assert not set(gone) & (live | {"gateway"})
    kept = [
        one for one in found if one.source not in gone and one.source.startswith("engine:") and one.source not in live
    ]
    assert len(kept) <= 1
    assert all(1e6 - one.written_at <= 1000 for one in kept)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def keeper_of(folder: Path, limits: Limits = SMALL, free: int = 1 << 40) -> LogKeeper:
    return LogKeeper(LogFiles(folder), live=set, limits=limits, free=lambda _folder: free)


def rotated_while_written(file: Path, lines: int, keeper: LogKeeper) -> tuple[list[int], int, int]:
    """Numbers of the lines that are left, torn lines, and rotations; the writer goes on meanwhile."""
    rotations = 0
    with writer(file, lines) as process:
        while process.poll() is None:
            before = file.stat().st_size if file.exists() else 0
            keeper.tick(0)
            rotations += file.exists() and file.stat().st_size < before
        assert process.returncode == 0
    content = b"".join(one.read_bytes() for one in (*reversed(copies(file)), file))
    first = content.index(b"line ")
    numbers, torn = [], 0
    for line in content[first:].splitlines(keepends=True):
        whole = _LINE.fullmatch(line)
        if whole and len(whole[2]) == int(whole[1]) % 90:
            numbers.append(int(whole[1]))
        else:
            torn += 1
    return numbers, torn, rotations


def test_nothing_is_lost_of_what_a_fast_writer_adds(folder: Path) -> None:
    if not _collapses(folder):
        pytest.skip("this file system cannot remove the beginning of a file (ext4 and XFS can)")
    # Everything is kept, to be counted; a line is never torn, since the pieces join again.
    limits = Limits(max_bytes=256 << 10, most_bytes=1 << 30, kept=10_000, room_bytes=0)
    numbers, torn, rotations = rotated_while_written(folder / "gateway.log", 150_000, keeper_of(folder, limits))
    assert rotations >= 5
    assert torn == 0
    assert numbers == list(range(150_000))


def test_a_file_system_that_can_only_truncate_loses_at_the_cut_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantdeck_agent.logs.keeper.collapse", lambda _file, _size: False)
    limits = Limits(max_bytes=256 << 10, most_bytes=1 << 30, kept=10_000, room_bytes=0)
    numbers, torn, rotations = rotated_while_written(folder / "gateway.log", 150_000, keeper_of(folder, limits))
    assert rotations >= 5
    assert numbers == sorted(set(numbers))
    # What is written between the last look and the truncation: one gap each time, and nowhere else.
    gaps = sum(after != before + 1 for before, after in pairwise(numbers))
    assert gaps <= rotations
    assert torn <= 2 * rotations


@pytest.mark.parametrize("can_collapse", [True, False])
def test_of_a_file_that_grows_too_fast_the_end_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, can_collapse: bool
) -> None:
    if not can_collapse:
        monkeypatch.setattr("quantdeck_agent.logs.keeper.collapse", lambda _file, _size: False)
    file = folder / "engine-a.1.log"
    file.write_bytes(b"".join(b"line %07d\n" % number for number in range(200_000)))  # 2.6 MB
    keeper_of(folder).tick(0)
    kept = b"".join(one.read_bytes() for one in (*reversed(copies(file)), file))
    assert len(kept) <= SMALL.max_bytes + 4096
    assert kept.endswith(b"line 0199998\nline 0199999\n")


def test_the_disk_use_is_bounded(folder: Path) -> None:
    file = folder / "engine-a.1.log"
    keeper = keeper_of(folder)
    for _ in range(10):
        with file.open("ab") as out:
            out.write(b"a line of text\n" * 30_000)  # less than twice the limit
        keeper.tick(0)
    assert [one.name for one in copies(file)] == [f"{file.name}.{number}" for number in (1, 2, 3)]
    assert file.stat().st_size < 64 << 10
    assert not list(folder.glob("*.new"))


@pytest.mark.parametrize("can_collapse", [True, False])
def test_without_room_the_end_is_kept_and_nothing_is_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch, can_collapse: bool
) -> None:
    if not can_collapse:
        monkeypatch.setattr("quantdeck_agent.logs.keeper.collapse", lambda _file, _size: False)
    file = folder / "engine-a.1.log"
    file.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    keeper_of(folder, free=0).tick(0)
    assert copies(file) == []
    content = file.read_bytes()
    assert content.endswith(b"line 99998\nline 99999\n")
    assert SMALL.tail_bytes <= len(content) <= SMALL.tail_bytes + 2 * 4096 or not can_collapse


def test_a_full_disk_ends_with_the_newest_lines_and_an_agent_that_goes_on(tmp_path: Path) -> None:
    """A real one: 2 MiB of tmpfs in a namespace of its own."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("only root can mount a disk of its own")
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from quantdeck_agent.logs.files import LogFiles, copies
from quantdeck_agent.logs.keeper import LogKeeper
from quantdeck_agent.logs.rotation import Limits
folder = Path({str(tmp_path)!r})
file = folder / "engine-a.1.log"
file.write_bytes(b"".join(b"line %06d\\n" % n for n in range(100_000)))  # 1.2 MB of 2: no room for a copy
limits = Limits(max_bytes=1 << 20, room_bytes=0, tail_bytes=64 << 10)  # 1.2 MB: less than twice
for free in (lambda f: 1 << 40, None):  # the first time the look at the disk is wrong, and the copy fails
    keeper = LogKeeper(LogFiles(folder), set, limits, **({{"free": free}} if free else {{}}))
    keeper.tick(0)
    assert sorted(one.name for one in folder.iterdir()) == ["engine-a.1.log"], list(folder.iterdir())
    assert file.read_bytes().endswith(b"line 099999\\n")
    assert file.stat().st_size <= 64 << 10
    with file.open("ab") as out:
        out.write(b"".join(b"line %06d\\n" % n for n in range(100_000)))
"""
    command = f'mount -t tmpfs -o size=2m none {tmp_path} && exec {sys.executable} -c "$SCRIPT"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command],
        env={**os.environ, "SCRIPT": script},
        capture_output=True,
        text=True,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount of its own: {done.stderr.strip()[:100]}")
    assert done.returncode == 0, done.stderr
    assert "No space left on device" in done.stderr


def test_logs_of_engines_that_are_gone_are_removed_with_their_copies(folder: Path) -> None:
    for number in range(6):
        file = folder / f"engine-a.{number}.log"
        for one in (file, file.with_name(f"{file.name}.1")):
            one.write_text("x")
            os.utime(one, (1000 + number, 1000 + number))
    (folder / "notes.txt").write_text("somebody else's")
    keeper = LogKeeper(LogFiles(folder), lambda: {"engine:a.0"}, Limits(engines=2, age_s=100))
    keeper.tick(1005)
    assert sorted(one.name for one in folder.iterdir()) == [
        *(f"engine-a.{number}.log{end}" for number in (0, 4, 5) for end in ("", ".1")),
        "notes.txt",
    ]
    keeper.tick(1200)
    assert sorted(one.name for one in folder.iterdir()) == ["engine-a.0.log", "engine-a.0.log.1", "notes.txt"]


def test_a_link_out_of_the_folder_is_left_alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("elsewhere") / "file"
    target.write_bytes(b"x" * (SMALL.max_bytes + 1))
    (folder / "gateway.log").symlink_to(target)
    keeper_of(folder).tick(0)
    assert target.stat().st_size == SMALL.max_bytes + 1


def test_the_text_of_one_start_is_what_came_after_it_across_a_rotation(folder: Path) -> None:
    file = folder / "engine-a.1.log"
    assert log_tail(file) == ""
    file.write_text("an earlier start: CUDA out of memory\n" * 10_000)
    start = file.stat().st_size
    assert log_tail(file, start) == ""
    with file.open("a") as out:
        out.write("this start\n")
    assert log_tail(file, start) == "this start\n"
    keeper_of(folder).tick(0)
    assert file.stat().st_size < start
    assert log_tail(file, start).endswith("this start\n")
    assert len(log_tail(file, start)) <= 4096 + 20
    assert len(log_tail(file, 0, limit=1000)) < 1000
    assert log_tail(file, 0, limit=1000).startswith("an earlier start")


def _collapses(folder: Path) -> bool:
    probe = folder / "probe"
    probe.write_bytes(bytes(1 << 16))
    with probe.open("rb+") as file:
        done = shorten.collapse(file.fileno(), 4096)
    probe.unlink()
    return done
