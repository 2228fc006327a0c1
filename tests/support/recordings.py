"""Recordings as a console would have made them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from quantdeck_console.recording.recorder import Recorder
from quantdeck_console.recording.records import Answered, EventHeard, LinkHeard, LogHeard, Record
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event, Snapshot
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.logs import LogLine
from support.fleets import NOW


def at(seconds: float, host: str, what: Event | LinkChange | HostStatus) -> Record:
    """Something that a host said so long after the beginning."""
    if isinstance(what, LinkChange):
        return LinkHeard(t=NOW + seconds, host=host, link=what)
    event = Snapshot(revision=1, status=what) if isinstance(what, HostStatus) else what
    return EventHeard(t=NOW + seconds, host=host, event=event)


def answered(seconds: float, host: str, asked: str, answer: msgspec.Struct) -> Record:
    """An answer that came so long after the beginning."""
    return Answered(t=NOW + seconds, host=host, asked=asked, answer=msgspec.Raw(msgspec.json.encode(answer)))


def logged(seconds: float, host: str, source: str, text: str) -> Record:
    """A line of a log."""
    return LogHeard(t=NOW + seconds, host=host, source=source, line=LogLine(source=source, t=NOW + seconds, text=text))


def connected(*statuses: HostStatus) -> list[Record]:
    """All hosts linked, and all of them told, at the beginning."""
    return [
        record
        for status in statuses
        for record in (
            at(0, status.name, LinkChange(state="connected", role="operator")),
            at(0, status.name, status),
        )
    ]


def recorded(path: Path, hosts: Iterable[str], records: Iterable[Record], *, ended: float | None = None) -> Path:
    """A file of these records; without an end, as of a console that was killed."""
    now = [NOW]
    recorder = Recorder(path, hosts, lambda: now[0])
    for record in records:
        recorder.put(record)
    if ended is None:
        recorder.flush()
    else:
        now[0] += ended
        recorder.close()
    return path
