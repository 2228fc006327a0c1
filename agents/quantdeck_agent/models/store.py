"""The models of a host: the root they lie below, what is known of each, and who uses it."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from quantdeck_agent.models.hasher import Hasher, Meter
from quantdeck_agent.models.records import ARTIFACT, ArtifactRecord
from quantdeck_agent.store import Store
from quantdeck_checkpoints import hashing
from quantdeck_checkpoints.digest_cache import DigestCache
from quantdeck_core.artifacts.manifest import Manifest
from quantdeck_core.artifacts.names import ArtifactNameError, check_path
from quantdeck_core.artifacts.room import check_room
from quantdeck_core.errors import NotFoundError
from quantdeck_core.protocol.experiment import TimelineEntry

log = logging.getLogger("quantdeck.models")


class Use(NamedTuple):
    """Something names a model.

    Attributes:
        path: of the model or of a file in it.
        who: e.g. `engine assistant`.
        running: it has the files open now, or may open them at any moment.
    """

    path: Path
    who: str
    running: bool


class Room(NamedTuple):
    """Bytes of the disk that the models lie on."""

    total: int
    free: int


class ModelStore:
    """Models below one root.

    Args:
        root: need not be there yet.
        state: folder for `models.db` and `digests.db`.
        uses: everything that names a model now.
    """

    def __init__(self, root: Path, state: Path, uses: Callable[[], Iterable[Use]] = tuple) -> None:
        self.root = root
        self.db = Store(state / "models.db")
        self.cache = DigestCache(state / "digests.db")
        self.hasher = Hasher()
        self._records = self.db.all(ARTIFACT, ArtifactRecord)
        self._uses = uses
        self.promised: Callable[[str], int] = lambda _: 0
        """Bytes that transfers which go on, but for one, were told they may write."""

    def close(self) -> None:
        """Close its files."""
        self.hasher.close()
        self.cache.close()
        self.db.close()

    def path_of(self, name: str) -> Path:
        """Where a model of this name lies or would lie.

        Raises:
            ArtifactNameError: the name, or a link on the way, leads out of the root.
        """
        path = self.root / check_path(name)
        real_root = self.root.resolve()
        if not path.resolve().is_relative_to(real_root):
            raise ArtifactNameError(f"{name!r} leads out of the model root {self.root}.", "Remove the link.")
        return path

    def record_of(self, name: str) -> ArtifactRecord | None:
        """What is known of a model."""
        return self._records.get(name)

    def records(self) -> dict[str, ArtifactRecord]:
        """What is known of all."""
        return dict(self._records)

    def remember(self, name: str, record: ArtifactRecord) -> None:
        """Keep what was found out."""
        self.db.put(ARTIFACT, name, record)
        self._records[name] = record

    def forget(self, name: str) -> None:
        """A model that is no more."""
        self.db.delete(ARTIFACT, name)
        self._records.pop(name, None)

    def note(self, name: str, kind: str, text: str, by: str) -> None:
        """Keep who did what to a model, and say it in the log."""
        log.info("%s: %s, by %s", name, text, by or "quantdeck")
        self.db.note(f"model:{name}", TimelineEntry(t=time.time(), kind=kind, text=text, by=by))

    def uses(self, *, running: bool = False) -> tuple[Use, ...]:
        """Everything that names a model now; with `running` only what has its files open."""
        return tuple(use for use in self._uses() if use.running or not running)

    def users_of(self, name: str, uses: Iterable[Use]) -> tuple[str, ...]:
        """Who of them uses a model."""
        path = (self.root / name).resolve()
        return tuple(dict.fromkeys(use.who for use in uses if use.path.resolve().is_relative_to(path)))

    async def manifest(self, path: Path, meter: Meter | None = None, *, again: bool = False) -> Manifest:
        """Every file's hash; with `again` all of them are read, whatever is known.

        Raises:
            QuantdeckError: as `quantdeck_checkpoints.hashing.manifest_of`.
        """
        cache = None if again else self.cache
        return await self.hasher.run(
            lambda progress: hashing.manifest_of(path, cache, progress, inside=self.root), meter
        )

    async def digest(self, path: Path) -> str:
        """An artifact's identity; files that did not change are not read again.

        Raises:
            QuantdeckError: as `quantdeck_checkpoints.hashing.manifest_of`.
        """
        return (await self.manifest(path)).digest

    def fingerprint(self, path: Path) -> str:
        """Another one when a file was written or exchanged; reads no content.

        Raises:
            NotFoundError, UnreadableError: nothing there, or it cannot be looked at.
        """
        return hashing.fingerprint(path)

    def unchanged(self, name: str, record: ArtifactRecord) -> bool:
        """Whether the files are those that were hashed."""
        try:
            return self.fingerprint(self.root / name) == record.fingerprint
        except (NotFoundError, hashing.UnreadableError):
            return False

    def room(self) -> Room:
        """Of the root, or of the folder that it will be made in."""
        place = self.root.absolute()
        while not place.exists():
            place = place.parent
        total, _, free = shutil.disk_usage(place)
        return Room(total=total, free=free)

    def require_room(self, count: int, job: str = "") -> None:
        """Refuse what does not fit beside what other jobs will write.

        Raises:
            NoRoomError: with the numbers.
        """
        room = self.room()
        check_room(count, room.free, room.total, self.promised(job))
