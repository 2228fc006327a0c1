"""Reads a recording from any place in it, and says what of it cannot be read."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from quantdeck_console.recording.records import FORMAT, Header, Record, RecordingError
from quantdeck_core.errors import ConflictError

MAX_LINE_BYTES = 32 << 20
_CHUNK_BYTES = 64 << 10
_MAGIC = b"\x1f\x8b\x08"
"""A gzip member begins with this."""


class Position(NamedTuple):
    """Where a line begins: its place in the file, or bytes behind the beginning of a compressed piece."""

    base: int
    skip: int = 0


class Entry(NamedTuple):
    """A line of the file.

    Attributes:
        number: of the line, from 1.
        record: what it says; None where it cannot be read, `damage` says why.
    """

    position: Position
    number: int
    record: Record | None
    damage: str = ""


class NewerRecordingError(ConflictError):
    """Its format is newer than this program."""

    code = "newer-recording"
    title = "The recording is newer than this quantdeck"


class Tape:
    """One file."""

    def __init__(self, path: Path) -> None:
        """Look at the header.

        Raises:
            RecordingError: it cannot be read, or is no recording.
            NewerRecordingError: it is one of a later quantdeck.
        """
        self.path = path
        self._decoder = msgspec.json.Decoder(Record)
        try:
            with path.open("rb") as file:
                self._packed = file.read(len(_MAGIC)) == _MAGIC
            first = next(self._lines(Position(0)), None)
        except OSError as error:
            raise RecordingError(f"Cannot read {path}: {error.strerror or error}.", "Check the path.") from None
        self.header = self._header(first[1] if first else b"")

    def _header(self, line: bytes | zlib.error) -> Header:
        try:
            if isinstance(line, zlib.error):
                raise msgspec.DecodeError(str(line))
            known = msgspec.json.decode(line, type=_Format)
            if known.quantdeck_recording > FORMAT:
                raise NewerRecordingError(
                    f"{self.path} was recorded by quantdeck {known.version} in format {known.quantdeck_recording};"
                    f" this one plays format {FORMAT}.",
                    f"Play it with quantdeck {known.version} or newer.",
                )
            return msgspec.json.decode(line, type=Header)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise RecordingError(
                f"{self.path} is no recording: its first line is no header.",
                "`quantdeck console --record FILE` makes one.",
            ) from None

    def entries(self, start: Position | None = None, number: int = 1) -> Iterator[Entry]:
        """Every line from a position on; without one, all that follow the header.

        Args:
            number: of the line at that position.
        """
        lines = self._lines(start or Position(0))
        if start is None:
            next(lines)
            number = 2
        for position, line in lines:
            yield self._entry(position, number, line)
            number += 1

    def at(self, position: Position) -> Record | None:
        """The record at a position."""
        for _, line in self._lines(position):
            return self._entry(position, 0, line).record
        return None

    def _entry(self, position: Position, number: int, line: bytes | zlib.error) -> Entry:
        if isinstance(line, zlib.error):
            return Entry(position, number, None, "the compressed data is damaged here")
        try:
            return Entry(position, number, self._decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            cut = not line.endswith(b"\n")
            return Entry(position, number, None, "the file is cut off in it" if cut else str(error))

    def _lines(self, start: Position) -> Iterator[tuple[Position, bytes | zlib.error]]:
        with self.path.open("rb") as file:
            file.seek(start.base)
            if self._packed:
                yield from _unpacked(file, start)
                return
            at = start.base
            while line := file.readline(MAX_LINE_BYTES):
                yield Position(at), line
                at += len(line)


class _Format(msgspec.Struct):
    """What every format says of itself."""

    quantdeck_recording: int
    version: str = "?"


def _unpacked(file: BinaryIO, start: Position) -> Iterator[tuple[Position, bytes | zlib.error]]:
    """The lines of compressed pieces; a damaged one ends with its error, and the next one follows."""
    base, skip = start
    while True:
        file.seek(base)
        end = yield from _piece(file, base, skip)
        if isinstance(end, zlib.error):
            yield Position(base), end
            end = _next_piece(file, base + 1)
        if end is None:
            return
        base, skip = end, 0


def _piece(file: BinaryIO, base: int, skip: int) -> Generator[tuple[Position, bytes], None, int | zlib.error | None]:
    """The lines of one piece; returns where the next one begins, None at the end of the file, or what is wrong here."""
    unpacking = zlib.decompressobj(31)
    at, rest, packed = 0, b"", b""
    while not unpacking.eof:
        packed = packed or file.read(_CHUNK_BYTES)
        if not packed:
            if rest:
                yield Position(base, at), rest
            return None
        try:
            rest += unpacking.decompress(packed, MAX_LINE_BYTES)
        except zlib.error as error:
            return error
        packed = unpacking.unconsumed_tail
        *whole, rest = rest.split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            return zlib.error("a line without an end")
        for line in whole:
            if at >= skip:
                yield Position(base, at), line + b"\n"
            at += len(line) + 1
    left = unpacking.unused_data or file.read(_CHUNK_BYTES)
    return file.tell() - len(left) if left else None


def _next_piece(file: BinaryIO, at: int) -> int | None:
    """Where the next one seems to begin, from a place in the file on."""
    file.seek(at)
    before = b""
    while chunk := file.read(_CHUNK_BYTES):
        found = (before + chunk).find(_MAGIC)
        if found >= 0:
            return file.tell() - len(chunk) - len(before) + found
        before = chunk[-len(_MAGIC) + 1 :]
    return None
