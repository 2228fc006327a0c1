"""A push in memory: what has arrived, and what of it is known to be on the disk."""

from __future__ import annotations

import asyncio
import time
import zlib

from quantdeck_agent.models.records import ArtifactRecord, PushPlan
from quantdeck_agent.models.staging import Staging
from quantdeck_agent.models.store import ModelStore
from quantdeck_core.artifacts.chunks import CHUNK_BYTES, all_of, bytes_of
from quantdeck_core.artifacts.manifest import FileEntry
from quantdeck_core.errors import InputError
from quantdeck_core.protocol.models import BeginPush


class ChunkError(InputError):
    """A chunk that is not what it should be."""

    code = "bad-chunk"
    title = "Cannot take this chunk"


class Receiving:
    """One push.

    Attributes:
        have: for each file the chunks that arrived, as bits.
        dirty: files that were written to since the last sync, `unsynced` bytes of them.
    """

    def __init__(self, staging: Staging, have: list[int]) -> None:
        self.staging, self.have = staging, have
        self.dirty: set[int] = set()
        self.unsynced = 0
        self.synced_at = time.monotonic()
        self.syncing = asyncio.Lock()

    def arrived(self, ask: BeginPush) -> int:
        """Bytes of all files."""
        return sum(map(bytes_of, self.have, (entry.size for entry in ask.manifest.files)))


def staged(staging: Staging, ask: BeginPush, plan: PushPlan | None) -> Receiving:
    """What lies in the staging folder, as far as it was synced."""
    have = [0] * len(ask.manifest.files)
    for part, (entry, bits) in enumerate(zip(ask.manifest.files, plan.have if plan else (), strict=False)):
        placed = staging.tree if ask.manifest.kind == "file" else staging.tree / entry.path
        length = staging.size(part) or (placed.lstat().st_size if placed.is_file() else 0)
        whole = all_of(entry.size) if length >= entry.size else (1 << length // CHUNK_BYTES) - 1
        have[part] = int(bits, 16) & whole
    return Receiving(staging, have)


def link_known(store: ModelStore, receiving: Receiving, ask: BeginPush) -> int:
    """Files that another model here has already get a second name; their bytes. Empty files are made."""
    known: dict[str, tuple[str, ArtifactRecord, FileEntry]] = {}
    for name, record in store.records().items():
        if not record.unverified and store.unchanged(name, record):
            known |= {entry.sha256: (name, record, entry) for entry in record.manifest.files if entry.size}
    linked = 0
    for part, entry in enumerate(ask.manifest.files):
        if entry.size == 0:
            receiving.staging.cut(part, 0)
        if receiving.have[part] or entry.sha256 not in known:
            continue
        name, record, there = known[entry.sha256]
        source = store.root / name if record.manifest.kind == "file" else store.root / name / there.path
        if there.size == entry.size and receiving.staging.link(part, source):
            receiving.have[part] = all_of(entry.size)
            linked += entry.size
    return linked


def take(staging: Staging, part: int, offset: int, crc32: int, pieces: list[bytes]) -> None:
    """Check a chunk and write it.

    Raises:
        ChunkError: it was damaged on the way.
        StagingError, OSError: as `Staging.write`.
    """
    found = 0
    for piece in pieces:
        found = zlib.crc32(piece, found)
    if found != crc32:
        raise ChunkError("The chunk was damaged on the way: its CRC-32 differs.", "Send it again.")
    staging.write(part, offset, pieces)


def packed(have: list[int]) -> tuple[str, ...]:
    """The bits as they are kept."""
    return tuple(f"{bits:x}" for bits in have)
