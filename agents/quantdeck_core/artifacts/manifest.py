"""What an artifact consists of, and its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.artifacts.names import ArtifactNameError, check_path

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256, 64 lower-case hex digits")]
Size = Annotated[int, Meta(ge=0, le=1 << 50)]
FILES_LIMIT = 4000
"""So that a manifest stays below the 1 MiB of a JSON body."""

Kind = Literal["file", "folder"]


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file; `path` is relative to the artifact."""

    path: str
    size: Size
    sha256: Sha256


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All files of an artifact, sorted by path. Of a single file, `path` is its name."""

    kind: Kind
    files: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)

    @property
    def digest(self) -> str:
        """The identity: a file's own SHA-256, or that of a folder's listing.

        The listing has the form of `sha256sum`'s output, so that anybody can check it without us:
        `find * -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum`.
        """
        if self.kind == "file":
            return self.files[0].sha256
        listing = "".join(f"{entry.sha256}  {entry.path}\n" for entry in self.files)
        return hashlib.sha256(listing.encode()).hexdigest()


def manifest_from(kind: Kind, files: tuple[FileEntry, ...]) -> Manifest:
    """A manifest with its files in order.

    Raises:
        ArtifactNameError: as `check_manifest`.
    """
    manifest = Manifest(kind=kind, files=tuple(sorted(files, key=lambda entry: entry.path.encode())))
    check_manifest(manifest)
    return manifest


def check_manifest(manifest: Manifest) -> None:
    """Refuse what could not lie in one folder.

    Raises:
        ArtifactNameError: a bad path, the same twice, a file that is also a folder, none, too many, or out of order.
    """
    paths = [check_path(entry.path, "file of a model") for entry in manifest.files]
    if not paths:
        raise ArtifactNameError("The model has no files.", "Name a GGUF file, or a folder with a checkpoint in it.")
    if len(paths) > FILES_LIMIT:
        raise ArtifactNameError(f"The model has {len(paths)} files.", f"At most {FILES_LIMIT} make one model.")
    if manifest.kind == "file" and (len(paths) != 1 or "/" in paths[0]):
        raise ArtifactNameError("A single file needs exactly one plain name.", "Send a folder as a folder.")
    if paths != sorted(set(paths), key=str.encode):
        raise ArtifactNameError("The files are not sorted, or one is named twice.", "Sort them by their path's bytes.")
    folders = {path[:index] for path in paths for index, char in enumerate(path) if char == "/"}
    if both := folders.intersection(paths):
        raise ArtifactNameError(f"{min(both)!r} is both a file and a folder.", "One of them needs another name.")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is not what it was; None where there is no such file."""

    path: str
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.path} is missing"
        if self.expected is None:
            return f"{self.path} was not there before"
        return f"{self.path} has other content: SHA-256 {self.found[:12]}, expected {self.expected[:12]}"


def differences(expected: Manifest, found: Manifest) -> tuple[Difference, ...]:
    """Files that differ, by path."""
    before, after = _hashes(expected), _hashes(found)
    return tuple(
        Difference(path=path, expected=before.get(path), found=after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def _hashes(manifest: Manifest) -> Mapping[str, str]:
    return {entry.path: entry.sha256 for entry in manifest.files}
