"""Versions of the database's schema, and the steps from one to the next."""

from __future__ import annotations

import sqlite3

from quantdeck_agent.store.rows import KEYS, VALUES, State, Table, checksum, number


def _first(db: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE record (kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, name))",
        "CREATE TABLE request (id TEXT PRIMARY KEY, answer BLOB NOT NULL, t REAL NOT NULL)",
        "CREATE TABLE timeline (seq INTEGER PRIMARY KEY, t REAL NOT NULL, subject TEXT NOT NULL,"
        " kind TEXT NOT NULL, text TEXT NOT NULL, by TEXT NOT NULL)",
        "CREATE INDEX timeline_subject ON timeline (subject, seq)",
    ):
        db.execute(statement)


def _checksums(db: sqlite3.Connection) -> None:
    """Each row gets a checksum, the whole a number and a digest. Bodies become text, as the journal has them."""
    state = State()
    db.execute("UPDATE record SET body = CAST(body AS TEXT)")
    db.execute("UPDATE request SET answer = CAST(answer AS TEXT)")
    for table in KEYS:
        db.execute(f"ALTER TABLE {table} ADD COLUMN sum BLOB NOT NULL DEFAULT x''")
        where = " AND ".join(f"{column} = ?" for column in KEYS[table])
        for row in db.execute(f"SELECT {columns(table)} FROM {table}").fetchall():  # noqa: S608 - our own names
            own = checksum(table, row)
            state.digest ^= number(own)
            key = row[: len(KEYS[table])]
            db.execute(f"UPDATE {table} SET sum = ? WHERE {where}", (own, *key))  # noqa: S608 - our own names
    db.execute(
        "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), serial INTEGER NOT NULL, sum BLOB NOT NULL)"
    )
    write_head(db, 1, state.digest)


_MIGRATIONS = (_first, _checksums)
"""Each takes the schema one version further. What was released is not changed, only followed by another."""
SCHEMA_VERSION = len(_MIGRATIONS)


def columns(table: Table) -> str:
    """Names of the columns that a checksum covers, in its order."""
    return ", ".join((*KEYS[table], *VALUES[table]))


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a database of an older version to this one, inside the caller's transaction."""
    for step in _MIGRATIONS[version:]:
        step(db)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def write_head(db: sqlite3.Connection, serial: int, digest: int) -> None:
    """Which state this is: its number and its digest, held together by a checksum."""
    db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (serial, head_sum(serial, digest)))


def head_sum(serial: int, digest: int) -> bytes:
    """Checksum of a state: two with the same are the same, row by row."""
    return checksum("record", ("head", serial, f"{digest:016x}"))
