"""One file by HTTP: from where it was interrupted, bounded, through proxies, and never where nobody sent us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from quantdeck_core.artifacts.origin import OriginError, check_url
from quantdeck_core.errors import QuantdeckError, UnreachableError
from quantdeck_core.text import clean

REDIRECTS = 5
TRIES = 6
"""In a row without a single new byte."""
FIRST_PAUSE_S, LAST_PAUSE_S = 0.25, 15.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class SourceError(QuantdeckError):
    """The other side answered, but not with what was asked for."""

    code = "bad-answer"
    title = "The source does not give this file"


class Answer(NamedTuple):
    """What a source says before the first byte.

    Attributes:
        offset: where its bytes begin: 0 where it begins anew.
        size: of the whole file, None where it does not say.
        validator: names this version of the file, empty where there is none.
    """

    offset: int
    size: int | None
    validator: str


class Secret(NamedTuple):
    """A token, and the only place that gets it."""

    token: str
    origin: tuple[str, str, int | None]


def client(proxy: str) -> httpx.AsyncClient:
    """As the environment says (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`), or through one proxy.

    Raises:
        OriginError: no usable proxy, here or in the environment.
    """
    try:
        return httpx.AsyncClient(
            proxy=check_url(proxy) if proxy else None,
            trust_env=not proxy,
            timeout=httpx.Timeout(30.0, read=60.0),
            headers={"accept-encoding": "identity", "user-agent": "quantdeck"},
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        raise OriginError("The proxy of the agent's environment cannot be used.", "Use an http:// proxy.") from None


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def shown(url: str) -> str:
    """Without its query, which may be a signature."""
    parts = urlsplit(url)
    return clean(urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), one_line=True)[:300]


@contextlib.asynccontextmanager
async def opened(
    http: httpx.AsyncClient, url: str, headers: dict[str, str], secret: Secret | None = None
) -> AsyncIterator[httpx.Response]:
    """GET, following at most `REDIRECTS` redirects, from https only to https; the secret stays at its place.

    Raises:
        OriginError: redirected to something that is no http or https URL.
        SourceError: too many redirects.
        httpx.HTTPError: the connection.
    """
    for _ in range(REDIRECTS + 1):
        sent = dict(headers)
        if secret and origin_of(url) == secret.origin:
            sent["authorization"] = f"Bearer {secret.token}"
        async with http.stream("GET", url, headers=sent) as response:
            if not response.has_redirect_location:
                yield response
                return
            following = check_url(urljoin(url, response.headers["location"]))
        if url.startswith("https:") and not following.startswith("https:"):
            raise SourceError(f"{shown(url)} redirects from https to http.", "Use a source that does not.")
        url = following
    raise SourceError(f"{shown(url)}: more than {REDIRECTS} redirects.", "Use the URL at their end.")


async def fetch(
    http: httpx.AsyncClient,
    url: str,
    offset: Callable[[], int],
    validator: Callable[[], str],
    began: Callable[[Answer], Awaitable[None]],
    take: Callable[[bytes], Awaitable[None]],
    secret: Secret | None = None,
) -> None:
    """Read a file to its end, through as many connections as that takes.

    Args:
        offset: bytes that are there; asked again for each connection.
        validator: of the version that they are of.
        began: what an answer begins with; it raises where that does not fit.
        take: the bytes, in order.

    Raises:
        SourceError, OriginError: it answers, but not with this file.
        UnreachableError: it broke off too often.
    """
    tries, pause, last = 0, FIRST_PAUSE_S, -1
    while True:
        start = offset()
        tries, pause = (tries + 1, min(pause * 2, LAST_PAUSE_S)) if start <= last else (1, FIRST_PAUSE_S)
        last = max(last, start)
        try:
            await _once(http, url, start, validator(), began, take, secret)
            return
        except (httpx.TransportError, httpx.StreamError) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        except _TryAgainError as error:
            why = str(error)
        if tries >= TRIES:
            raise UnreachableError(
                f"{shown(url)} broke off {TRIES} times without a new byte: {clean(why, one_line=True)[:200]}.",
                "Check the network and the proxy of the agent; what has arrived is kept, and the same command goes on.",
            )
        await asyncio.sleep(pause)


class _TryAgainError(Exception):
    pass


async def _once(
    http: httpx.AsyncClient,
    url: str,
    start: int,
    validator: str,
    began: Callable[[Answer], Awaitable[None]],
    take: Callable[[bytes], Awaitable[None]],
    secret: Secret | None,
) -> None:
    headers = {}
    if start:
        headers["range"] = f"bytes={start}-"
        if validator:
            headers["if-range"] = validator
    async with opened(http, url, headers, secret) as response:
        if response.status_code in _AGAIN:
            raise _TryAgainError(f"HTTP {response.status_code}")
        answer = _read(response, url, start)
        await began(answer)
        got = answer.offset
        async for piece in response.aiter_raw():
            got += len(piece)
            if answer.size is not None and got > answer.size:
                raise SourceError(
                    f"{shown(url)} sends more than the {answer.size} bytes it announced.", "Ask its owner."
                )
            await take(piece)
        if answer.size is not None and got < answer.size:
            raise _TryAgainError(f"it ended at byte {got} of {answer.size}")


def _read(response: httpx.Response, url: str, start: int) -> Answer:
    headers = response.headers
    if headers.get("content-encoding", "identity") != "identity":
        raise SourceError(f"{shown(url)} answers compressed although that was not asked for.", "Use another source.")
    tag = headers.get("etag", "")
    validator = tag if tag and not tag.startswith("W/") else headers.get("last-modified", "")
    if response.status_code == 200:
        length = headers.get("content-length", "")
        return Answer(0, int(length) if length.isdecimal() else None, validator)
    if response.status_code == 206 and start:
        match = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if match and int(match[1]) == start:
            return Answer(start, int(match[3]) if match[3] != "*" else int(match[2]) + 1, validator)
        raise SourceError(f"{shown(url)} answers with another range than was asked for.", "Use another source.")
    if response.status_code == 416 and start:
        return Answer(0, -1, "")  # what is here is longer than what is there: `began` begins anew
    hints = {
        401: "The agent needs HF_TOKEN in its environment, or another URL.",
        403: "The agent's token may not read this; licences of gated models are accepted on the hub's page.",
        404: "Check the name, the revision and the file.",
        407: "The proxy wants credentials, which go into the agent's HTTPS_PROXY.",
    }
    raise SourceError(
        f"{shown(url)} answers HTTP {response.status_code}.", hints.get(response.status_code, "Ask the source's owner.")
    )


def hub_secret(endpoint: str) -> Secret | None:
    """The agent's own token for its hub; never over a connection that others can read."""
    token = os.environ.get("HF_TOKEN", "").strip()
    scheme, host, _ = origin = origin_of(endpoint)
    if not token or (scheme != "https" and host not in ("127.0.0.1", "localhost", "::1")):
        return None
    return Secret(token, origin)
