"""What the agent must not forget."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from quantdeck_agent.store.durable import Durable
from quantdeck_agent.store.errors import StateWriteError
from quantdeck_agent.store.rows import Change
from quantdeck_core.protocol.experiment import TimelineEntry

T = TypeVar("T")

_REQUESTS_KEPT_S = 86_400.0
LINES_KEPT = 1000
"""Newest lines of one subject's timeline."""


class Store(Durable):
    """Records, answered requests and timelines: each change is written and synced, twice, before it is acknowledged.

    Records are msgspec structs, one table for all kinds: their history is the timeline, not the schema.
    """

    def put(self, kind: str, name: str, body: msgspec.Struct) -> None:
        """Insert or replace a record."""
        self._change(Change("record", (kind, name), (msgspec.json.encode(body).decode(),)))

    def delete(self, kind: str, name: str) -> None:
        """Remove a record; nothing happens where there is none."""
        if any(row[1] == name for row in self._rows("record", "WHERE kind = ? AND name = ?", (kind, name))):
            self._change(Change("record", (kind, name), None))

    def remember(self, request_id: str, answer: msgspec.Struct, now: float) -> None:
        """Keep an answer for a day, in case the same request comes again."""
        old = self._rows("request", "WHERE t < ?", (now - _REQUESTS_KEPT_S,))
        forgotten = [Change("request", (row[0],), None) for row in old if row[0] != request_id]
        values = (msgspec.json.encode(answer).decode(), float(now))
        self._change(*forgotten, Change("request", (request_id,), values))

    def note(self, subject: str, entry: TimelineEntry) -> None:
        """Add a line to a subject's timeline."""
        last = f"WHERE subject = ? ORDER BY seq DESC LIMIT -1 OFFSET {LINES_KEPT - 1}"
        forgotten = [Change("timeline", (row[0],), None) for row in self._rows("timeline", last, (subject,))]
        values = (float(entry.t), subject, entry.kind, entry.text, entry.by)
        self._change(*forgotten, Change("timeline", (self._db.next_seq(),), values))

    def try_note(self, subject: str, entry: TimelineEntry) -> bool:
        """As `note`, where no line is worth more than the loop that writes it: False where the disk refused it."""
        try:
            self.note(subject, entry)
        except StateWriteError:
            return False
        return True

    def all(self, kind: str, of: type[T]) -> dict[str, T]:
        """All records of a kind by name."""
        rows = self._rows("record", "WHERE kind = ? ORDER BY name", (kind,))
        return {name: msgspec.json.decode(body, type=of) for _, name, body in rows}

    def answer_of(self, request_id: str, of: type[T]) -> T | None:
        """What a request was answered with, where it was applied before."""
        rows = self._rows("request", "WHERE id = ?", (request_id,))
        return msgspec.json.decode(rows[0][1], type=of) if rows else None

    def timeline(self, subject: str, most: int = 20) -> tuple[TimelineEntry, ...]:
        """The newest lines of a subject, oldest first."""
        rows = self._rows("timeline", "WHERE subject = ? ORDER BY seq DESC LIMIT ?", (subject, most))
        return tuple(TimelineEntry(t=t, kind=kind, text=text, by=by) for _, t, _, kind, text, by in reversed(rows))
