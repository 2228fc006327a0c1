"""What a hub's repository holds at a revision, by its plain HTTP interface."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import Annotated
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Meta

from quantdeck_agent.models.records import Wanted
from quantdeck_agent.models.remote import Secret, SourceError, opened, shown
from quantdeck_core.artifacts.manifest import FILES_LIMIT, Sha256, Size
from quantdeck_core.artifacts.names import ArtifactNameError, check_path
from quantdeck_core.artifacts.origin import Origin, check_url
from quantdeck_core.errors import UnreachableError

_ANSWER_LIMIT = 16 << 20
_Commit = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$")]


class _Lfs(msgspec.Struct):
    sha256: Sha256
    size: Size


class _File(msgspec.Struct):
    rfilename: str
    size: Size | None = None
    blob_id: _Commit | None = msgspec.field(default=None, name="blobId")
    lfs: _Lfs | None = None


class _Repository(msgspec.Struct):
    sha: _Commit
    siblings: list[_File]


def endpoint() -> str:
    """The hub: `$HF_ENDPOINT`, as its own tools name it.

    Raises:
        OriginError: that is no http or https URL.
    """
    return check_url(os.environ.get("HF_ENDPOINT", "").strip() or "https://huggingface.co").rstrip("/")


async def listing(
    http: httpx.AsyncClient, origin: Origin, include: tuple[str, ...], secret: Secret | None
) -> tuple[str, tuple[Wanted, ...]]:
    """The commit that the revision is now, and its files that fit the patterns (all, where there are none).

    Hidden files are left out. Large files come with their SHA-256, small ones with git's name for them.

    Raises:
        SourceError: no such repository, no such revision, nothing fits, or an answer that makes no sense.
        UnreachableError: no answer.
    """
    hub = endpoint()
    url = f"{hub}/api/models/{origin.place}/revision/{quote(origin.revision, safe='')}?blobs=true"
    body = bytearray()
    try:
        async with opened(http, url, {}, secret) as response:
            if response.status_code != 200:
                raise SourceError(
                    f"{shown(url)} answers HTTP {response.status_code}.",
                    "Check the repository and the revision; a gated one needs HF_TOKEN in the agent's environment.",
                )
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _ANSWER_LIMIT:
                    raise SourceError(f"{shown(url)} answers with more than 16 MiB.", "Is HF_ENDPOINT a hub?")
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"{shown(url)} does not answer: {type(error).__name__}.", "Check the network and the proxy of the agent."
        ) from None
    try:
        found = msgspec.json.decode(bytes(body), type=_Repository)
    except msgspec.MsgspecError:
        raise SourceError(f"{shown(url)} does not answer like a hub.", "Is HF_ENDPOINT a hub?") from None
    files = tuple(_wanted(hub, origin, found.sha, file) for file in found.siblings if _fits(file.rfilename, include))
    if not files:
        raise SourceError(f"{origin.place} has no file that fits.", "Look at the repository, and at --include.")
    if len(files) > FILES_LIMIT:
        raise SourceError(f"{origin.place} has {len(files)} files.", "Choose some with --include.")
    return found.sha, tuple(sorted(files, key=lambda one: one.path.encode()))


def _fits(path: str, include: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") and part.strip(".") for part in path.split("/"))
    return not hidden and (not include or any(fnmatchcase(path, pattern) for pattern in include))


def _wanted(hub: str, origin: Origin, commit: str, file: _File) -> Wanted:
    try:
        check_path(file.rfilename, "file of a model")
    except ArtifactNameError as error:
        raise SourceError(f"The repository holds a file that cannot be stored: {error.detail}", error.hint) from None
    return Wanted(
        path=file.rfilename,
        url=f"{hub}/{origin.place}/resolve/{commit}/{quote(file.rfilename)}",
        size=file.lfs.size if file.lfs else file.size,
        sha256=file.lfs.sha256 if file.lfs else None,
        git_sha1=None if file.lfs else file.blob_id,
    )
