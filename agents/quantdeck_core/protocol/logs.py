"""Logs on the wire: which there are, and their lines, one JSON object a line."""

from __future__ import annotations

import msgspec

MAX_LINES = 10_000
"""So many lines from a log's end at most."""
DEFAULT_LINES = 100
HEARTBEAT_S = 5.0
"""While a log is followed, something is sent at least this often: silence means a dead link."""


class LogSource(msgspec.Struct, frozen=True, kw_only=True):
    """One log of a host.

    Attributes:
        source: `agent`, `gateway`, or `engine:NAME.GENERATION`.
        live: its writer is wanted here now; others are kept to be read.
        size_bytes: of the present file, without what was rotated away; None for the agent's, which is in memory.
        written_at: UNIX time of the last write, None where nothing was written.
    """

    source: str
    live: bool
    size_bytes: int | None = None
    written_at: float | None = None


class LogSources(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to GET /v1/logs."""

    sources: tuple[LogSource, ...]


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line, or what is to be said in the place of some.

    Attributes:
        t: UNIX time when the agent read it (of its own log: when it was written); None for what was there before.
        old: it was there before the reader came. While a log is followed, the old lines end with an empty one.
        text: control characters are stripped; empty in a line that only says the other things, or that the link lives.
        lost: lines before this one that are not shown: the reader was too slow, or the file was cut under it.
        lost_unknown: lines were lost and could not be counted.
        withheld: lines before this one that can hold what users wrote, which nobody is shown.
    """

    source: str
    t: float | None = None
    old: bool = False
    text: str = ""
    lost: int = 0
    lost_unknown: bool = False
    withheld: int = 0
