"""Lines of logs across hosts, and what is said where some are missing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from quantdeck_core.protocol.logs import LogLine


class HostLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a log, or a note about a host or a log.

    Attributes:
        note: said by quantdeck itself; `line` is None then.
    """

    host: str
    source: str = ""
    line: LogLine | None = None
    note: str = ""


def remarks(one: HostLine) -> Iterator[str]:
    """What quantdeck itself has to say there: the note, or what is missing before the line."""
    if one.line is None:
        yield one.note
        return
    if one.line.lost:
        yield f"{one.line.lost:,} lines lost: they came faster than they could be shown"
    if one.line.lost_unknown:
        yield "lines may be missing here"
    if one.line.withheld:
        yield f"{one.line.withheld:,} lines withheld: they can hold what users wrote"
