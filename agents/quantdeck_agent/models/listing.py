"""What lies below the model root."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from quantdeck_agent.models.store import ModelStore, Use
from quantdeck_checkpoints.hashing import UnreadableError, files_of
from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_core.artifacts.discover import discover
from quantdeck_core.artifacts.manifest import Kind
from quantdeck_core.artifacts.names import ArtifactNameError, check_path
from quantdeck_core.errors import NotFoundError, QuantdeckError
from quantdeck_core.formats.detect import detect
from quantdeck_core.protocol.models import ModelStatus

FILES_LIMIT = 50_000
DEPTH_LIMIT = 8


class Listing:
    """Looks at the disk when it is asked; formats are read once for each state of the files."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._formats: dict[str, str | None] = {}

    def names(self) -> dict[str, Kind]:
        """Every model below the root; those whose names cannot be shown are left out."""
        files: list[str] = []
        root = self._store.root
        for folder, folders, names in os.walk(root):
            here = Path(folder).relative_to(root)
            folders[:] = [] if len(here.parts) >= DEPTH_LIMIT else [one for one in folders if not one.startswith(".")]
            files += [(here / name).as_posix() for name in names if not name.startswith(".")]
            if len(files) > FILES_LIMIT:
                break
        found = discover((path for path in files if _usable(path)), self._store.records())
        return dict(sorted(found.items()))

    async def models(self) -> tuple[ModelStatus, ...]:
        """All of them, by name; looked at in a thread, since a disk may be slow or hang."""
        uses = self._store.uses()

        def look() -> tuple[ModelStatus, ...]:
            found = (self._status(name, kind, uses) for name, kind in self.names().items())
            return tuple(one for one in found if one is not None)

        return await asyncio.to_thread(look)

    def _status(self, name: str, kind: Kind, uses: tuple[Use, ...]) -> ModelStatus | None:
        """One model; None where it went while it was looked at."""
        path = self._store.root / name
        record = self._store.record_of(name)
        try:
            sizes = [file.stat().st_size for file in files_of(path, inside=self._store.root).values()]
            fingerprint = self._store.fingerprint(path)
        except (NotFoundError, UnreadableError, OSError):
            return None
        changed = record is not None and record.fingerprint != fingerprint
        return ModelStatus(
            name=name,
            kind=kind,
            bytes=sum(sizes),
            files=len(sizes),
            format=self._format(path, fingerprint),
            digest=record.manifest.digest if record else None,
            verified_at=record.verified_at if record else None,
            changed=changed,
            unverified=record.unverified if record else False,
            source=record.source if record else "",
            users=self._store.users_of(name, uses),
        )

    def _format(self, path: Path, fingerprint: str) -> str | None:
        if fingerprint not in self._formats:
            try:
                self._formats[fingerprint] = detect(LocalSource(path)).label
            except QuantdeckError:
                self._formats[fingerprint] = None
        return self._formats[fingerprint]


def _usable(path: str) -> bool:
    try:
        return bool(check_path(path))
    except ArtifactNameError:
        return False
