"""The last steps of a transfer: assemble, check every hash, put the model into its place at once."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from quantdeck_agent.models.hasher import Meter
from quantdeck_agent.models.records import ArtifactRecord, Wanted
from quantdeck_agent.models.renames import exchange, rename_new, sync_folder
from quantdeck_agent.models.staging import Staging
from quantdeck_agent.models.store import ModelStore
from quantdeck_core.artifacts.discover import discover
from quantdeck_core.artifacts.manifest import Kind, Manifest
from quantdeck_core.errors import ConflictError
from quantdeck_core.protocol.models import Job


class DamagedError(ConflictError):
    """Files whose content is not what was announced; `parts` are their places in the list."""

    code = "hash-mismatch"
    title = "The content is not what was announced"

    def __init__(self, detail: str, hint: str, parts: tuple[int, ...]) -> None:
        super().__init__(detail, hint)
        self.parts = parts


class ExistsError(ConflictError):
    """Another model has this name."""

    code = "model-exists"
    title = "A model of this name is there"


class InUseError(ConflictError):
    """A running engine has the model's files open."""

    code = "model-in-use"
    title = "The model is in use"


def require_place(store: ModelStore, name: str, kind: Kind, replace: bool) -> Path:
    """Where the model will lie.

    Raises:
        ArtifactNameError: the name leads out of the root.
        ExistsError: something lies there, above or below it.
        InUseError: it would be replaced, and an engine runs on it.
    """
    target = store.path_of(name)
    recorded = store.records()
    for above in Path(name).parents:
        if str(above) != "." and (str(above) in recorded or _is_whole(store, str(above))):
            raise ExistsError(f"{name} would lie inside the model {above}.", "Use another --name.")
    if not os.path.lexists(target):
        return target
    if target.is_symlink():
        raise ExistsError(f"{name} is a symbolic link on this host.", "Remove the link, or use another --name.")
    if target.is_dir() and not (name in recorded or _is_whole(store, name)):
        raise ExistsError(f"{name} is a folder that holds other things than one model.", "Use another --name.")
    if target.is_dir() != (kind == "folder"):
        raise ExistsError(
            f"{name} is there already, as a {'folder' if target.is_dir() else 'file'}.", "Use another --name."
        )
    if not replace:
        raise ExistsError(
            f"{name} is there with other content, or content that was never hashed.",
            f"`quantdeck model verify {name}` hashes it; --replace puts the new one in its place.",
        )
    if users := store.users_of(name, store.uses(running=True)):
        raise InUseError(f"{name} is in use by {', '.join(users)}.", "Stop that first, or use another --name.")
    return target


def _is_whole(store: ModelStore, name: str) -> bool:
    folder = store.root / name
    if not folder.is_dir():
        return False
    return name in discover(f"{name}/{entry.name}" for entry in os.scandir(folder) if entry.is_file())


async def check(store: ModelStore, staging: Staging, kind: Kind, wanted: Sequence[Wanted], meter: Meter) -> Manifest:
    """Assemble and hash.

    Raises:
        DamagedError: some files are not what was announced; they were removed from the staging folder.
        StagingError, OSError: as `Staging.assemble`.
    """
    tree = staging.assemble([one.path for one in wanted], kind == "folder")
    manifest = await store.manifest(tree, meter)
    if kind == "file":  # its name in the staging folder says nothing
        (found,) = manifest.files
        entry = type(found)(path=wanted[0].path, size=found.size, sha256=found.sha256)
        manifest = Manifest(kind="file", files=(entry,))
    found_by_path = {entry.path: entry for entry in manifest.files}
    wrong: list[tuple[int, str]] = []
    for part, one in enumerate(wanted):
        entry = found_by_path[one.path]
        if one.size is not None and entry.size != one.size:
            wrong.append((part, f"{one.path} has {entry.size} bytes, announced were {one.size}"))
        elif one.sha256 is not None and entry.sha256 != one.sha256:
            wrong.append((part, f"{one.path} has SHA-256 {entry.sha256[:12]}..., announced was {one.sha256[:12]}..."))
        elif one.git_sha1 is not None and one.sha256 is None:
            file = tree / one.path if kind == "folder" else tree
            if await store.hasher.run(lambda _, file=file: git_sha1(file)) != one.git_sha1:  # type: ignore[misc]
                wrong.append((part, f"{one.path} is not the file that the hub lists"))
    for part, _ in wrong:
        staging.remove(part, wanted[part].path)
    if wrong:
        raise DamagedError(
            f"{wrong[0][1]}" + (f", and {len(wrong) - 1} more files differ." if len(wrong) > 1 else "."),
            "Nothing was put in place. The same command fetches the damaged files again.",
            tuple(part for part, _ in wrong),
        )
    return manifest


def place(store: ModelStore, staging: Staging, name: str, manifest: Manifest, replace: bool) -> Path:
    """Rename the checked tree into its place; what lay there goes with the staging folder.

    Raises:
        ExistsError, InUseError: as `require_place`.
        OSError: a rename failed.
    """
    target = require_place(store, name, manifest.kind, replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    store.path_of(name)  # again: a folder on the way may have become a link
    if os.path.lexists(target):
        exchange(staging.tree, target)
    else:
        try:
            rename_new(staging.tree, target)
        except FileExistsError:
            raise ExistsError(f"{name} appeared while it was sent.", "Look at what it is.") from None
    folder = target.parent
    while folder != store.root.parent:
        sync_folder(folder)
        folder = folder.parent
    return target


def remember(store: ModelStore, job: Job, manifest: Manifest, *, unverified: bool) -> ArtifactRecord:
    """Keep what was placed."""
    record = ArtifactRecord(
        manifest=manifest,
        fingerprint=store.fingerprint(store.root / job.name),
        verified_at=time.time(),
        unverified=unverified,
        source=job.source,
    )
    store.remember(job.name, record)
    store.note(job.name, job.kind, f"{manifest.digest[:12]} in its place, {job.source or 'found on the disk'}", job.by)
    return record


def git_sha1(path: Path) -> str:
    """The name that git gives a file's content."""
    with path.open("rb") as file:
        digest = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size, usedforsecurity=False)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
