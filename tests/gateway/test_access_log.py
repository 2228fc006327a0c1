"""The access log: whole lines, rotation, and disks that are full."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from quantdeck_core.errors import InputError
from quantdeck_gateway.access_log import AccessLog, Line
from support.small_disk import small_disk
from support.waiting import eventually


def line(number: int, **more: object) -> Line:
    return Line(t=1.5, request_id=f"r-{number}", path="/v1/completions", status=200, end="done", **more)  # type: ignore[arg-type]


def ids(file: Path) -> list[str]:
    return [json.loads(one)["request_id"] for one in file.read_text().splitlines() if one.endswith("}")]


def opened(file: Path, most_bytes: int = 1 << 20) -> AccessLog:
    return AccessLog(asyncio.get_running_loop(), file, most_bytes)


async def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    log = opened(tmp_path / "log")
    log.note(line(1))
    log.note(line(2, user="ab", ttft_ms=12.5, bytes=7, key="app"))
    await log.stop()
    one, two = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert one == {"t": 1.5, "request_id": "r-1", "path": "/v1/completions", "status": 200, "end": "done"}
    assert two == one | {"request_id": "r-2", "user": "ab", "ttft_ms": 12.5, "bytes": 7, "key": "app"}


async def test_a_file_that_was_moved_is_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = opened(file)
    log.note(line(1))
    log.tick()
    await eventually(lambda: file.read_text())
    file.rename(tmp_path / "log.1")
    log.note(line(2))
    await eventually(lambda: log.tick() or file.exists())
    log.note(line(3))
    await log.stop()
    assert (ids(tmp_path / "log.1"), ids(file), log.dropped) == (["r-1"], ["r-2", "r-3"], 0)


async def test_two_processes_write_one_file(tmp_path: Path) -> None:
    logs = [opened(tmp_path / "log") for _ in range(2)]
    for number in range(400):
        logs[number % 2].note(line(number))
        logs[number % 2].tick()
        await asyncio.sleep(0)
    for log in logs:
        await log.stop()
    assert sorted(ids(tmp_path / "log")) == sorted(f"r-{number}" for number in range(400))


async def test_what_the_disk_cannot_keep_up_with_is_dropped_and_counted(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", most_bytes=1000)
    for number in range(100):
        log.note(line(number))
    await log.stop()
    written = ids(tmp_path / "log")
    assert 5 < len(written) < 20
    assert log.dropped == 100 - len(written)


async def test_a_full_disk_drops_lines_and_counts_them(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        file = disk.folder / "log"
        log = opened(file, most_bytes=4 << 20)
        for number in range(16_000):  # more than there is room for: the last line that fits is cut
            log.note(line(number))
        log.tick()
        await eventually(lambda: log.dropped)
        kept = ids(file)
        assert kept == [f"r-{number}" for number in range(len(kept))]
        assert log.dropped == 16_000 - len(kept)
        log.note(line(20_000))
        log.tick()
        await eventually(lambda: log.dropped == 16_001 - len(kept))
        file.rename(disk.folder / "log.1")
        (disk.folder / "log.1").unlink()
        log.note(line(30_000))
        await log.stop()
        assert ids(file) == ["r-30000"]


async def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        file = disk.folder / "log"
        (disk.folder / "more").write_bytes(b"x" * 65_536)
        log = opened(file, most_bytes=4 << 20)
        for number in range(16_000):
            log.note(line(number))
        log.tick()
        await eventually(lambda: log.dropped)
        cut = file.read_bytes()
        assert not cut.endswith(b"\n")
        (disk.folder / "more").unlink()
        log.note(line(20_000))
        await log.stop()
        assert file.read_bytes().startswith(cut + b"\n{")
        assert ids(file)[-1] == "r-20000"


async def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot write"):
        opened(tmp_path / "missing" / "log")
