"""Hashes of files and folders on this machine's disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from quantdeck_checkpoints.digest_cache import DigestCache, FileKey
from quantdeck_checkpoints.hashing import UnreadableError, cached_sha256, files_of, fingerprint, manifest_of
from quantdeck_core.artifacts.names import ArtifactNameError
from quantdeck_core.errors import NotFoundError


def _old(path: Path) -> None:
    """Long settled: written an hour ago."""
    status = path.stat()
    os.utime(path, ns=(status.st_mtime_ns - 3600 * 10**9,) * 2)


def test_a_known_file_is_not_read_again_also_under_another_name(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "digests.db")
    file = tmp_path / "a.gguf"
    file.write_bytes(b"abc")
    _old(file)
    read: list[int] = []
    assert cached_sha256(file, cache)[1] == hashlib.sha256(b"abc").hexdigest()
    cache.put(FileKey.of(file.stat()), "f" * 64)  # what only the cache can know
    renamed = file.rename(tmp_path / "b.gguf")
    assert cached_sha256(renamed, cache, read.append) == (3, "f" * 64)
    renamed.write_bytes(b"abd")
    assert cached_sha256(renamed, cache)[1] == hashlib.sha256(b"abd").hexdigest()
    cache.close()
    again = DigestCache(tmp_path / "digests.db")
    _old(renamed)
    cached_sha256(renamed, again)
    assert again.get(FileKey.of(renamed.stat())) == hashlib.sha256(b"abd").hexdigest()
    again.close()


def test_a_file_that_was_written_just_now_is_not_remembered(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "digests.db")
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    os.utime(file)
    cached_sha256(file, cache)
    assert cache.get(FileKey.of(file.stat())) is None
    cache.close()


def test_a_damaged_cache_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "digests.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    cache = DigestCache(tmp_path / "digests.db")
    cache.put(FileKey(1, 2, 3, 4), "a" * 64)
    assert cache.get(FileKey(1, 2, 3, 4)) == "a" * 64
    cache.close()


def test_inodes_of_64_bits(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "digests.db")
    key = FileKey(2**64 - 1, 2**63 + 5, 3, 4)
    cache.put(key, "a" * 64)
    assert cache.get(key) == "a" * 64
    cache.close()


def test_a_folder_without_hidden_files_and_with_links_as_in_the_hubs_cache(tmp_path: Path) -> None:
    blobs, model = tmp_path / "blobs", tmp_path / "model"
    blobs.mkdir()
    (model / "sub").mkdir(parents=True)
    (model / ".git").mkdir()
    (blobs / "1").write_bytes(b"weights")
    (model / "model.safetensors").symlink_to("../blobs/1")
    (model / "sub" / "x.json").write_text("{}")
    (model / ".git" / "config").write_text("x")
    manifest = manifest_of(model)
    assert [entry.path for entry in manifest.files] == ["model.safetensors", "sub/x.json"]
    assert manifest.size == 9
    before = fingerprint(model)
    assert fingerprint(model) == before
    (model / "sub" / "x.json").write_text("[]")
    os.utime(model / "sub" / "x.json", ns=(1, 1))
    assert fingerprint(model) != before
    with pytest.raises(UnreadableError, match="leads out"):
        files_of(model, inside=model)


def test_what_cannot_be_hashed(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        manifest_of(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableError, match="no regular file"):
        manifest_of(tmp_path)
    (tmp_path / "pipe").unlink()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnreadableError):
        manifest_of(tmp_path)
    (tmp_path / "loop").unlink()
    (tmp_path / "odd\nname").write_text("x")
    with pytest.raises(ArtifactNameError):
        manifest_of(tmp_path)
