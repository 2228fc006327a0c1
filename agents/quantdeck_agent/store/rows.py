"""Rows of the state, their checksums, and one number over all of them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

Value = str | int | float
Table = Literal["record", "request", "timeline"]

KEYS: dict[Table, tuple[str, ...]] = {"record": ("kind", "name"), "request": ("id",), "timeline": ("seq",)}
VALUES: dict[Table, tuple[str, ...]] = {
    "record": ("body",),
    "request": ("answer", "t"),
    "timeline": ("t", "subject", "kind", "text", "by"),
}

CHECKSUM_BYTES = 8
Key = tuple[Table, tuple[Value, ...]]


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A row as it is after a change; `values` is None where it is gone."""

    table: Table
    key: tuple[Value, ...]
    values: tuple[Value, ...] | None


def checksum(table: Table, fields: tuple[Value, ...]) -> bytes:
    """Of one row: key and values in the order of the columns."""
    return blake2b(msgspec.json.encode((table, fields)), digest_size=CHECKSUM_BYTES).digest()


def number(checksum: bytes) -> int:
    """A checksum as a number. A state's digest is the exclusive or over its rows: no change costs more than its own."""
    return int.from_bytes(checksum, "big")


class State:
    """A whole state in memory, as a journal is read.

    Attributes:
        serial: number of the last change; 0 for an empty state.
        digest: over all rows.
    """

    def __init__(self) -> None:
        self.serial = 0
        self.digest = 0
        self.rows: dict[Key, tuple[Value, ...]] = {}

    def apply(self, change: Change) -> None:
        """Change one row."""
        key = (change.table, change.key)
        old = self.rows.pop(key, None)
        if old is not None:
            self.digest ^= number(checksum(change.table, change.key + old))
        if change.values is not None:
            self.rows[key] = change.values
            self.digest ^= number(checksum(change.table, change.key + change.values))

    def changes(self) -> list[Change]:
        """What makes this state from an empty one."""
        return [Change(table, key, values) for (table, key), values in self.rows.items()]
