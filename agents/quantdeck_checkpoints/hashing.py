"""SHA-256 of what lies on the disk."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from quantdeck_checkpoints.digest_cache import DigestCache, FileKey
from quantdeck_core.artifacts.manifest import FileEntry, Manifest, manifest_from
from quantdeck_core.errors import ConflictError, InputError, NotFoundError
from quantdeck_core.text import clean

BLOCK_BYTES = 1 << 20
Progress = Callable[[int], None]
"""Called in the hashing thread with the bytes of each block; raise in it to stop."""


class UnreadableError(InputError):
    """A file or a folder that cannot be hashed."""

    code = "unreadable"
    title = "Cannot read this model"


class ChangedWhileReadError(ConflictError):
    """Somebody writes to it."""

    code = "changed-while-read"
    title = "The file changed while it was read"


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    """SHA-256 of a file's content, hex; reads all of it."""
    with path.open("rb", buffering=0) as file:
        return _digest(file.fileno(), progress)


def _digest(descriptor: int, progress: Progress | None) -> str:
    digest, block = hashlib.sha256(), bytearray(BLOCK_BYTES)
    view = memoryview(block)
    while count := os.readv(descriptor, [block]):
        digest.update(view[:count])
        if progress:
            progress(count)
    return digest.hexdigest()


def cached_sha256(path: Path, cache: DigestCache | None, progress: Progress | None = None) -> tuple[int, str]:
    """Size and SHA-256 of a regular file; read only where the cache does not know it.

    Raises:
        ChangedWhileReadError: it was written to meanwhile.
        UnreadableError: it cannot be read, or is no regular file.
    """
    named = clean(str(path), one_line=True)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableError(f"{named} cannot be read: {error.strerror}.", "Check who may read it.") from None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableError(f"{named} is no regular file.", "Only files make a model.")
        key = FileKey.of(before)
        known = cache.get(key) if cache else None
        if known:
            if progress:
                progress(before.st_size)
            return before.st_size, known
        found = _digest(descriptor, progress)
        if FileKey.of(os.fstat(descriptor)) != key:
            raise ChangedWhileReadError(f"{named} was written to while it was hashed.", "Wait until it is complete.")
    except OSError as error:
        raise UnreadableError(f"{named} cannot be read: {error.strerror}.", "Check the disk.") from None
    finally:
        os.close(descriptor)
    if cache:
        cache.put(key, found)
    return before.st_size, found


def files_of(path: Path, *, inside: Path | None = None) -> dict[str, Path]:
    """Relative path -> file, of a folder and all folders in it; of a file, itself under its name.

    Hidden files and folders are left out: they belong to tools, not to the model. A link to a file is that file, as in
    the Hugging Face cache; a link to a folder is not followed.

    Args:
        inside: links must not lead out of this folder.

    Raises:
        NotFoundError: there is nothing at the path.
        UnreadableError: a folder cannot be read, a link leads out, or something is neither file nor folder.
    """
    if not path.exists():
        raise NotFoundError(f"There is nothing at {clean(str(path), one_line=True)}.", "Name a file or a folder.")
    found: dict[str, Path] = {}
    if not path.is_dir():
        found[path.name] = path
    else:
        for folder, folders, names in os.walk(path, onerror=_unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            here = Path(folder)
            found |= {(here / name).relative_to(path).as_posix(): here / name for name in names if name[0] != "."}
    if inside is not None:
        root = inside.resolve()
        for file in found.values():
            if not file.resolve().is_relative_to(root):
                raise UnreadableError(
                    f"{clean(str(file), one_line=True)} is a link that leads out of {inside}.",
                    "Put the file itself there.",
                )
    return dict(sorted(found.items()))


def _unreadable(error: OSError) -> None:
    raise UnreadableError(
        f"{clean(str(error.filename), one_line=True)} cannot be read: {error.strerror}.", "Check who may read it."
    )


def manifest_of(
    path: Path, cache: DigestCache | None = None, progress: Progress | None = None, *, inside: Path | None = None
) -> Manifest:
    """Every file of an artifact with its hash.

    Raises:
        NotFoundError, UnreadableError, ChangedWhileReadError: as `files_of` and `cached_sha256`.
        ArtifactNameError: a file's name cannot be used elsewhere.
    """
    entries = []
    for name, file in files_of(path, inside=inside).items():
        size, sha256 = cached_sha256(file, cache, progress)
        entries.append(FileEntry(path=name, size=size, sha256=sha256))
    return manifest_from("folder" if path.is_dir() else "file", tuple(entries))


def fingerprint(path: Path) -> str:
    """A hash over names, sizes and times: cheap, and another one when a file was written or exchanged.

    Raises:
        NotFoundError, UnreadableError: as `files_of`.
    """
    digest = hashlib.sha256()
    for name, file in files_of(path).items():
        try:
            status = file.stat()
        except OSError as error:
            raise UnreadableError(f"{clean(str(file), one_line=True)}: {error.strerror}.", "Check the link.") from None
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\n".encode())
    return digest.hexdigest()
