"""Names, manifests, chunks, room, sources, discovery and removal: pure decisions."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantdeck_core.artifacts.chunks import CHUNK_BYTES, all_of, bytes_of, count_of, length_of, missing
from quantdeck_core.artifacts.discover import discover
from quantdeck_core.artifacts.gc import STAGING_KEPT_S, Candidate, decide
from quantdeck_core.artifacts.manifest import FileEntry, Manifest, differences, manifest_from
from quantdeck_core.artifacts.names import ArtifactNameError, check_path
from quantdeck_core.artifacts.origin import OriginError, parse_origin
from quantdeck_core.artifacts.room import NoRoomError, check_room, reserve

GIB = 1 << 30
SHA = "0" * 64


@pytest.mark.parametrize(
    "path", ["a.gguf", "team/llama-3-8b awq/model-00001-of-00002.safetensors", "qwen 2/modèle.gguf"]
)
def test_usual_names_are_taken(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../a",
        "a/../b",
        "a//b",
        "a/",
        ".hidden",
        "a/.git",
        "-rf",
        "a\\b",
        "a\nb",
        "a\x1b[2J",
        "a\x00b",
        "a�",
        "a\u202eb",
        "x" * 201,
        "/".join(["abc"] * 200),
        " a",
        "a /b",
        ".",
    ],
)
def test_names_that_lead_elsewhere_or_cannot_be_shown_are_refused(path: str) -> None:
    with pytest.raises(ArtifactNameError):
        check_path(path)


@given(st.text(max_size=40))
def test_a_name_that_is_taken_stays_below_the_root(path: str) -> None:
    try:
        check_path(path)
    except ArtifactNameError:
        return
    assert Path("/models", path).resolve().is_relative_to("/models")
    assert not any(part.startswith(".") for part in Path(path).parts)


def _entry(path: str, content: bytes = b"") -> FileEntry:
    return FileEntry(path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def test_a_files_digest_is_its_own_hash_and_a_folders_is_that_of_sha256sum(tmp_path: Path) -> None:
    contents = {"b.json": b"{}", "a/x.safetensors": b"weights", "Z.txt": b"", "a.txt": b"1"}
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    manifest = manifest_from("folder", tuple(_entry(path, content) for path, content in contents.items()))
    command = "find * -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    shell = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert manifest.digest == shell.stdout.split()[0]
    assert manifest_from("file", (_entry("a", b"x"),)).digest == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("folder", []),
        ("folder", ["a", "a"]),
        ("folder", ["a", "a/b"]),
        ("folder", ["../a"]),
        ("file", ["a", "b"]),
        ("file", ["a/b"]),
        ("folder", [f"f{index}" for index in range(4001)]),
    ],
)
def test_manifests_that_no_folder_could_hold_are_refused(kind: str, paths: list[str]) -> None:
    with pytest.raises(ArtifactNameError):
        manifest_from(kind, tuple(_entry(path) for path in paths))  # type: ignore[arg-type]


def test_differences_name_what_is_missing_new_and_changed() -> None:
    before = manifest_from("folder", (_entry("a", b"1"), _entry("b", b"2"), _entry("c", b"3")))
    after = manifest_from("folder", (_entry("a", b"1"), _entry("b", b"x"), _entry("d", b"4")))
    assert [str(one).split(":")[0] for one in differences(before, after)] == [
        "b has other content",
        "c is missing",
        "d was not there before",
    ]
    assert differences(before, before) == ()


SIZES = st.integers(0, 70 * CHUNK_BYTES)


@given(SIZES, st.sets(st.integers(0, 69)))
def test_missing_runs_are_exactly_the_chunks_that_did_not_arrive(size: int, arrived: set[int]) -> None:
    arrived = {index for index in arrived if index < count_of(size)}
    have = sum(1 << index for index in arrived)
    runs = list(missing(have, size))
    assert [index for first, end in runs for index in range(first, end)] == sorted(set(range(count_of(size))) - arrived)
    assert all(end < first for (_, end), (first, _) in itertools.pairwise(runs))
    assert bytes_of(have, size) == sum(length_of(size, index) for index in arrived)


@given(SIZES)
def test_chunks_cover_a_file_once(size: int) -> None:
    assert sum(length_of(size, index) for index in range(count_of(size))) == size
    assert bytes_of(all_of(size), size) == size
    assert list(missing(all_of(size), size)) == []


def test_room_is_refused_with_its_numbers() -> None:
    check_room(10 * GIB, free=100 * GIB, total=1000 * GIB)
    with pytest.raises(
        NoRoomError, match=r"95\.0 GiB are needed, and 90\.0 GiB may be used: 100 GiB of 1\.0 TiB are free"
    ):
        check_room(95 * GIB, free=100 * GIB, total=1024 * GIB)
    with pytest.raises(NoRoomError, match=r"50\.0 GiB are promised to other transfers"):
        check_room(50 * GIB, free=100 * GIB, total=1024 * GIB, promised=50 * GIB)
    assert (reserve(32 * GIB), reserve(10_000 * GIB)) == (32 * GIB // 20, 10 * GIB)


def test_sources() -> None:
    hub = parse_origin("hf:org/Model-7B.v1@main")
    assert (hub.kind, hub.place, hub.revision, hub.default_name) == ("hub", "org/Model-7B.v1", "main", "Model-7B.v1")
    url = parse_origin("https://example.org/a/b.gguf?sig=1")
    assert (url.kind, url.default_name) == ("url", "b.gguf")


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "ftp://x/y",
        "/etc/passwd",
        "hf:org/x",
        "hf:org@main",
        "hf:../x@main",
        "https://u:p@h/x",
        "https:///x",
        "http://[::1/x",
        "hf:a/b@../x",
        "https://h/x\n",
        "http://h:99999/x",
        "hf:a/b@",
    ],
)
def test_sources_that_are_none(source: str) -> None:
    with pytest.raises(OriginError):
        parse_origin(source)


def test_what_is_a_model_below_a_root() -> None:
    files = [
        "a.gguf",
        "team/b.gguf",
        "team/notes.txt",
        "hf/config.json",
        "hf/model.safetensors",
        "hf/original/params.json",
        "split/x-00001-of-00002.gguf",
        "split/x-00002-of-00002.gguf",
        "odd/thing.xyz",
        "readme.md",
    ]
    assert discover(files) == {"a.gguf": "file", "team/b.gguf": "file", "hf": "folder", "split": "folder"}
    assert discover(files, ["odd"])["odd"] == "folder"
    assert discover(["a.weights"], ["a.weights"]) == {"a.weights": "file"}


def test_what_may_be_removed() -> None:
    now = 1e9
    candidates = [
        Candidate(name="used", bytes=1, users=("engine a",)),
        Candidate(name="idle", bytes=2),
        Candidate(name="old", bytes=3, touched_at=now - STAGING_KEPT_S),
        Candidate(name="young", bytes=4, touched_at=now - 60),
        Candidate(name="future", bytes=5, touched_at=now + 1e6),
        Candidate(name="going on", bytes=6, touched_at=0.0, users=("the pull of x",)),
    ]

    def gone(named: list[str], unused: bool) -> list[str]:
        return [verdict.name for verdict in decide(candidates, named, unused, now) if verdict.goes]

    assert gone([], False) == ["old"]
    assert gone(["used", "idle"], False) == ["idle", "old"]
    assert gone([], True) == ["idle", "old"]


@given(st.booleans(), st.booleans(), st.floats(0, 2e9), st.floats(0, 2e9))
def test_nothing_that_is_used_goes(named: bool, unused: bool, touched: float, now: float) -> None:
    for touched_at in (None, touched):
        one = Candidate(name="x", bytes=1, touched_at=touched_at, users=("engine a",))
        assert not decide([one], ["x"] if named else [], unused, now)[0].goes


def test_a_manifest_of_the_most_files_fits_into_a_body() -> None:
    import msgspec

    files = tuple(
        FileEntry(path=f"model-{index:05}-of-04000.safetensors", size=1 << 40, sha256=SHA) for index in range(4000)
    )
    assert len(msgspec.json.encode(Manifest(kind="folder", files=files))) < 1 << 20
