"""Reading recordings: whole ones, cut ones, damaged ones, and ones of another time."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantdeck_console.recording import recorder as recorder_module
from quantdeck_console.recording.records import RecordingError
from quantdeck_console.recording.tape import NewerRecordingError, Tape
from quantdeck_core.protocol.events import Heartbeat
from support.recordings import at, recorded

BEATS = [at(n, "a", Heartbeat(revision=n)) for n in range(20)]
KINDS = pytest.mark.parametrize("name", ["r", "r.gz"])


def revisions(path: Path) -> list[int]:
    return [entry.record.event.revision for entry in Tape(path).entries() if hasattr(entry.record, "event")]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_PIECE_BYTES", 300)


def in_pieces(path: Path) -> Path:
    """A compressed file of several pieces."""
    recorder = recorder_module.Recorder(path, ["a"], lambda: BEATS[0].t)
    for beat in BEATS:
        recorder.put(beat)
        recorder.flush()
    recorder.close()
    return path


@KINDS
@pytest.mark.usefixtures("small_pieces")
def test_every_line_can_be_read_from_its_own_place(tmp_path: Path, name: str) -> None:
    tape = Tape(in_pieces(tmp_path / name))
    entries = list(tape.entries())
    assert [entry.number for entry in entries] == list(range(2, 23))
    assert [entry.record for entry in entries[:20]] == BEATS
    for index, entry in enumerate(entries):
        assert tape.at(entry.position) == entry.record
        assert list(tape.entries(entry.position, entry.number)) == entries[index:]
    assert [entry.position for entry in entries] == sorted({entry.position for entry in entries})


@KINDS
@pytest.mark.usefixtures("small_pieces")
def test_a_file_may_be_cut_anywhere(tmp_path: Path, name: str) -> None:
    whole = in_pieces(tmp_path / name).read_bytes()
    cut = tmp_path / "cut"
    headed = 0
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        try:
            entries = list(Tape(cut).entries())
        except RecordingError:
            assert headed == 0, "the header was there already"
            continue
        headed += 1
        good = [entry for entry in entries if entry.record]
        assert [entry.record for entry in good[:20]] == BEATS[: len(good)]
        assert len(entries) - len(good) <= 1
        if entries[len(good) :]:
            assert entries[-1].damage == "the file is cut off in it"
            assert entries[-1].number == len(entries) + 1
    assert headed > len(whole) // 2


def test_a_damaged_line_is_told_with_its_number_and_the_rest_is_read(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", ["a"], BEATS, ended=30)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = b"\xff\xfe{]" + lines[5]
    lines[8] = b'{"is":"event","t":1.0}\n'
    lines[9] = b'{"is":"hologram","t":1.0}\n'
    path.write_bytes(b"".join(lines))
    damaged = [(entry.number, entry.damage) for entry in Tape(path).entries() if entry.record is None]
    assert [number for number, _ in damaged] == [6, 9, 10]
    assert "missing required field" in damaged[1][1]
    assert "hologram" in damaged[2][1]
    assert revisions(path) == [n for n in range(20) if n not in (4, 7, 8)]


@pytest.mark.usefixtures("small_pieces")
def test_of_a_damaged_compressed_file_the_other_pieces_are_read(tmp_path: Path) -> None:
    path = in_pieces(tmp_path / "r.gz")
    data = bytearray(path.read_bytes())
    begins = [at for at in range(len(data)) if data[at : at + 3] == b"\x1f\x8b\x08"]
    assert len(begins) > 4
    for index in range(begins[2] + 20, begins[3]):
        data[index] = 0xAA
    path.write_bytes(data)
    entries = list(Tape(path).entries())
    assert sum(entry.damage == "the compressed data is damaged here" for entry in entries) >= 1
    found = revisions(path)
    assert found[0] == 0
    assert found[-1] == 19
    assert 4 < len(found) < 20


@settings(max_examples=200)
@given(data=st.data())
def test_damage_of_any_kind_ends_in_entries(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tape")
    packed = data.draw(st.booleans())
    whole = bytearray(recorded(folder / ("r.gz" if packed else "r"), ["a"], BEATS, ended=30).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged"
    path.write_bytes(whole)
    try:
        entries = list(Tape(path).entries())
    except (RecordingError, NewerRecordingError):
        return
    assert all(entry.record or entry.damage for entry in entries)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b'{"quantdeck_recording":1}\n', b"\x1f\x8b\x08junk", zlib.compress(b"x"), b"[1]\n"]
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(RecordingError, match="is no recording"):
        Tape(tmp_path / "r")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        Tape(tmp_path / "none")
    with pytest.raises(RecordingError, match="Is a directory"):
        Tape(tmp_path)


def test_a_newer_format_is_refused_with_what_plays_it(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b'{"quantdeck_recording":2,"version":"3.1.0","tracks":[]}\n')
    with pytest.raises(
        NewerRecordingError, match=r"by quantdeck 3\.1\.0 in format 2; this one plays format 1"
    ) as caught:
        Tape(tmp_path / "r")
    assert "3.1.0 or newer" in caught.value.hint


def test_a_zone_out_of_a_file_names_no_file(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", ["a"], [])
    path.write_bytes(path.read_bytes().replace(b"<+0000>-00:00", b":/etc/passwd"))
    with pytest.raises(RecordingError, match="is no recording"):
        Tape(path)
