"""What a console asks of an agent about models, and what it hears."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.artifacts.gc import Verdict
from quantdeck_core.artifacts.manifest import Difference, Kind, Manifest, Sha256
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.protocol.requests import Change

JobKind = Literal["push", "pull", "verify"]
JobState = Literal["waiting", "moving", "checking", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer or a check, as long as the agent remembers it.

    Attributes:
        state: `waiting` for its turn or for a console that goes on sending, `moving` bytes, `checking` hashes.
        bytes_total: None before it is known.
        bytes_done: on the disk, or hashed while it is `checking`.
        note: what is going on, or how it ended.
        differences: of a check: the files that are not what they were.
    """

    id: str
    kind: JobKind
    name: str
    state: JobState
    by: str
    created_at: float
    touched_at: float
    ended_at: float | None = None
    source: str = ""
    bytes_total: int | None = None
    bytes_done: int = 0
    digest: str | None = None
    note: str = ""
    error: ErrorInfo | None = None
    differences: tuple[Difference, ...] = ()


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A model on a host.

    Attributes:
        format: as `quantdeck check` calls it; None where the files say nothing.
        digest: of its content as it was last hashed; None where nobody did.
        verified_at: UNIX time of the last complete hash that agreed.
        changed: files are not those that were hashed: other names, sizes or times.
        unverified: it came without a hash to compare with.
        users: what names it, e.g. `engine assistant`.
    """

    name: str
    kind: Kind
    bytes: int
    files: int
    format: str | None = None
    digest: str | None = None
    verified_at: float | None = None
    changed: bool = False
    unverified: bool = False
    source: str = ""
    users: tuple[str, ...] = ()


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All models of a host, and the room for more.

    Attributes:
        reserve_bytes: never taken by a model.
        promised_bytes: of transfers that go on.
    """

    models: tuple[ModelStatus, ...]
    disk_free_bytes: int
    disk_total_bytes: int
    reserve_bytes: int
    promised_bytes: int


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """Transfers and checks, newest last."""

    jobs: tuple[Job, ...]


class BeginPush(Change, kw_only=True, frozen=True):
    """Announce a model, or go on with it: the same name and content join the transfer that is there."""

    name: str
    manifest: Manifest
    replace: bool = False


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """Where a push stands.

    Attributes:
        chunk_bytes: length of every chunk but a file's last.
        missing: for each file of the manifest the runs of chunks that have not arrived, `(first, after the last)`.
    """

    job: Job
    chunk_bytes: int
    missing: tuple[tuple[tuple[int, int], ...], ...] = ()


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk that counts; bytes of the push that have arrived in all."""

    bytes_done: int


class FinishPush(Change, kw_only=True, frozen=True):
    """Check every hash and put the model into its place."""


class CancelJob(Change, kw_only=True, frozen=True):
    """End a transfer or a check; what has arrived of a transfer is removed."""


class Pull(Change, kw_only=True, frozen=True):
    """Let the host fetch a model by itself.

    Attributes:
        source: a URL, or `hf:ORG/REPO@REVISION`.
        name: empty for the source's own.
        sha256: of a URL's file.
        unverified: take a file that nobody knows the hash of.
        include: patterns of a repository's files, all where there are none.
        proxy: for this pull only; else the agent's environment says.
    """

    source: str
    name: str = ""
    sha256: Sha256 | None = None
    unverified: bool = False
    include: Annotated[tuple[str, ...], Meta(max_length=50)] = ()
    proxy: str = ""
    replace: bool = False


class Verify(Change, kw_only=True, frozen=True):
    """Hash a model again."""

    name: str


class CollectGarbage(Change, kw_only=True, frozen=True):
    """Remove what is not used.

    Attributes:
        names: models to remove.
        unused: every model that nothing uses.
        apply: False only tells what would go.
    """

    names: tuple[str, ...] = ()
    unused: bool = False
    apply: bool = False


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go."""

    applied: bool
    verdicts: tuple[Verdict, ...]
    freed_bytes: int
