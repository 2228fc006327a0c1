"""The file of what is pending: on disk before it is said, whole after each change, shared by commands and guards."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from quantdeck_console import pending
from quantdeck_console.pending import PendingFile, PendingFileError, default_pending_path
from quantdeck_core.rollout.wish import Wish


def wish(host: str, asked: float = 1.0, request_id: str = "r") -> Wish:
    return Wish(experiment="e", host=host, request_id=request_id, by="ada", reason="odd", asked=asked, made=1.0)


@pytest.fixture
def file(tmp_path: Path) -> PendingFile:
    return PendingFile(tmp_path / "deep" / "pending.json")


def test_what_is_added_is_there_for_the_next_process(file: PendingFile) -> None:
    assert file.read() == ()
    file.change([wish("a"), wish("b")])
    assert PendingFile(file.path).read() == (wish("a"), wish("b"))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.change(drop=[wish("a")])
    assert file.read() == (wish("b"),)


def test_the_same_one_again_takes_its_place_and_outlives_who_drops_the_old(file: PendingFile) -> None:
    file.change([wish("a")])
    before = file.stamp()
    file.change([wish("a", asked=2.0)])
    assert file.stamp() != before
    file.change(drop=[wish("a", asked=1.0)])
    assert file.read() == (wish("a", asked=2.0),)


def test_a_damaged_file_is_said_and_kept_aside(file: PendingFile) -> None:
    file.change([wish("a")])
    file.path.write_bytes(file.path.read_bytes()[:-9])
    with pytest.raises(PendingFileError, match="damaged") as caught:
        file.read()
    assert str(file.path.with_suffix(".damaged")) in caught.value.hint
    assert b'"host": "a"' in file.path.with_suffix(".damaged").read_bytes()
    file.change([wish("b")])
    assert file.read() == (wish("b"),)


def test_a_file_that_is_full_refuses_and_forgets_nothing(file: PendingFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST", 2)
    file.change([wish("a"), wish("b")])
    with pytest.raises(PendingFileError, match="3 rollbacks are pending"):
        file.change([wish("c")])
    assert file.read() == (wish("a"), wish("b"))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PendingFileError, match="Cannot write"):
        PendingFile(tmp_path / "file" / "pending.json").change([wish("a")])


_ADD_MANY = """
import pathlib, sys
from quantdeck_console.pending import PendingFile
from quantdeck_core.rollout.wish import Wish
for number in range(20):
    wish = Wish(experiment="e", host=sys.argv[2], request_id=str(number), by="", reason="", asked=1.0, made=1.0)
    PendingFile(pathlib.Path(sys.argv[1])).change([wish])
"""


def test_several_processes_lose_nothing_of_each_other(file: PendingFile) -> None:
    argv = [sys.executable, "-c", _ADD_MANY, str(file.path)]
    processes = [subprocess.Popen([*argv, host]) for host in ("a", "b", "c")]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(file.read()) == 60


def test_it_lies_where_programs_keep_their_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_pending_path() == Path("/state/quantdeck/pending.json")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_pending_path() == Path.home() / ".local/state/quantdeck/pending.json"
