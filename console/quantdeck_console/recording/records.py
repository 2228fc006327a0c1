"""The format of a recording: a header, then one JSON object a line, in the order in which the console received it."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.errors import ErrorInfo, InputError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event
from quantdeck_core.protocol.logs import LogLine

FORMAT = 1
"""Rises when a file can no longer be played by what plays the ones before."""


class RecordingError(InputError):
    """A file that cannot be recorded to, or played."""

    code = "bad-recording"
    title = "Cannot use this recording"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line.

    Attributes:
        quantdeck_recording: the format.
        version: of the quantdeck that recorded.
        at: UNIX time at which it began, seconds.
        zone: local time there, as the TZ variable takes it.
        hosts: of the fleet, in its order.
    """

    quantdeck_recording: int
    version: str
    at: float
    zone: Annotated[str, Meta(pattern=r"^<[+-]\d{4}>[+-]\d{2}:\d{2}$")]
    hosts: tuple[str, ...]


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="is"):
    t: float
    """UNIX time at which the console received it, seconds."""


class LinkHeard(_Record, frozen=True, kw_only=True, tag="link"):
    """The link of a host changed."""

    host: str
    link: LinkChange


class EventHeard(_Record, frozen=True, kw_only=True, tag="event"):
    """A host said something."""

    host: str
    event: Event


class Answered(_Record, frozen=True, kw_only=True, tag="answer"):
    """A host was asked.

    Attributes:
        asked: method and path; what was sent along is never recorded.
        about: tells questions of one path apart by a digest of what was sent along.
        answer: what came, if anything did; `error` and its HTTP `status` otherwise.
        same: it is what the same question got before.
        withheld: it may hold what users wrote, or is of a kind that nobody has looked at in this respect.
    """

    host: str
    asked: str
    about: str = ""
    answer: msgspec.Raw = msgspec.Raw(b"")
    error: ErrorInfo | None = None
    status: int = 0
    same: bool = False
    withheld: bool = False


class LogHeard(_Record, frozen=True, kw_only=True, tag="log"):
    """A log of a host was begun to be read, said a line, or is read no more.

    Attributes:
        source: as its host calls it.
    """

    host: str
    source: str
    line: LogLine | None = None
    state: Literal["", "opened", "closed"] = ""


class Lost(_Record, frozen=True, kw_only=True, tag="lost"):
    """Records that are missing here: they came faster than they could be written."""

    records: int


class End(_Record, frozen=True, kw_only=True, tag="end"):
    """The console was closed. A file without it was cut off, or its console was killed."""


Record = LinkHeard | EventHeard | Answered | LogHeard | Lost | End


def zone_of(t: float) -> str:
    """Local time at a UNIX time, as the TZ variable takes it: ``<+0200>-02:00``."""
    minutes = round(time.localtime(t).tm_gmtoff / 60)
    sign, hours, rest = "+" if minutes >= 0 else "-", abs(minutes) // 60, abs(minutes) % 60
    return f"<{sign}{hours:02}{rest:02}>{'-' if sign == '+' else '+'}{hours:02}:{rest:02}"
