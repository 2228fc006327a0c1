"""Where a host pulls a model from: a URL, or a repository of a hub at a revision."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.text import clean

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}(/[A-Za-z0-9][\w.+-]{0,99})*", re.ASCII)


class OriginError(InputError):
    """Nothing that a host may pull from."""

    code = "bad-source"
    title = "Cannot pull from there"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A source that was read.

    Attributes:
        place: the URL, or `ORG/REPO`.
        revision: of a hub: branch, tag or commit; empty for a URL.
    """

    kind: Literal["url", "hub"]
    place: str
    revision: str = ""

    @property
    def default_name(self) -> str:
        """What it is called where nobody says otherwise."""
        return self.place.rpartition("/")[2] if self.kind == "hub" else urlsplit(self.place).path.rpartition("/")[2]


def parse_origin(source: str) -> Origin:
    """`https://...`, `http://...` or `hf:ORG/REPO@REVISION`.

    Raises:
        OriginError: anything else, a hub without a revision, or a URL with a password in it.
    """
    shown = clean(source, one_line=True)[:200]
    if shown != source:
        raise OriginError("The source has characters that cannot be shown, or is too long.", "Check what was pasted.")
    if source.startswith("hf:"):
        place, _, revision = source[3:].partition("@")
        if not _REPOSITORY.fullmatch(place):
            raise OriginError(f"{shown!r} names no repository.", "Write hf:ORG/REPO@REVISION.")
        if not revision:
            raise OriginError(
                f"{shown!r} names no revision, and a branch moves.",
                f"Write hf:{place}@COMMIT, or @main to pin today's.",
            )
        if not _REVISION.fullmatch(revision):
            raise OriginError(f"{shown!r} has no usable revision.", "A branch, a tag or a commit.")
        return Origin(kind="hub", place=place, revision=revision)
    return Origin(kind="url", place=check_url(source))


def check_url(url: str) -> str:
    """The URL itself.

    Raises:
        OriginError: not http or https, no host, or with a user or a password in it.
    """
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, parts.username or parts.password
        _ = parts.port
    except ValueError:
        host, secret, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise OriginError(
            f"{clean(url, one_line=True)[:200]!r} is no http or https URL.", "Only those are pulled from."
        )
    if secret:
        raise OriginError("The URL has a user or a password in it, which logs would keep.", "Use one without.")
    return url
