"""What is kept of models and transfers, beside the agent's state."""

from __future__ import annotations

import msgspec

from quantdeck_core.artifacts.manifest import Kind, Manifest
from quantdeck_core.protocol.models import BeginPush, Job, Pull

ARTIFACT = "artifact"
TASK = "task"


class ArtifactRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was hashed from end to end.

    Attributes:
        fingerprint: of its files when they were hashed.
        unverified: there was no hash to compare with, only the one that was found.
        source: who brought it from where.
    """

    manifest: Manifest
    fingerprint: str
    verified_at: float
    unverified: bool = False
    source: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a transfer; None where nobody said.

    Attributes:
        git_sha1: as git names the file's content; hubs know no SHA-256 of small files.
    """

    path: str
    url: str = ""
    size: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None


class PushPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A push.

    Attributes:
        have: for each file the chunks that are on the disk, hexadecimal.
    """

    ask: BeginPush
    have: tuple[str, ...]


class PullPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A pull.

    Attributes:
        files: empty until they are known.
        kind: of the artifact.
        commit: that a hub's revision was pinned to.
        synced: bytes of each file that are on the disk.
        validators: what each answer said about its version (strong ETag or date), for `If-Range`.
    """

    ask: Pull
    kind: Kind
    files: tuple[Wanted, ...] = ()
    commit: str = ""
    synced: tuple[int, ...] = ()
    validators: tuple[str, ...] = ()


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A job and what it takes to go on with it.

    Attributes:
        placing: the rename may have happened: look before anything else.
    """

    job: Job
    request_id: str
    push: PushPlan | None = None
    pull: PullPlan | None = None
    placing: bool = False
