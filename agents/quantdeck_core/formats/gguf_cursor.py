"""A place in a GGUF file that moves forward and never reads past what it was allowed."""

from __future__ import annotations

import struct

from quantdeck_core.formats.errors import DOWNLOAD_AGAIN, CheckpointError, GgufError
from quantdeck_core.formats.source import Source

WINDOW = 256 << 10
"""Bytes read at once."""
READ_LIMIT = 128 << 20
"""Bytes of header read from one file. The largest vocabularies make headers of about 20 MB."""
STRING_LIMIT = 16 << 20
"""Bytes of one string; chat templates have some ten thousand."""

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Cursor:
    """Reads little-endian values one after the other.

    Attributes:
        position: bytes from the file's beginning.
        size: bytes of the file.
    """

    def __init__(self, source: Source, name: str) -> None:
        self.name = name
        self.size = source.files()[name]
        self.position = 0
        self._source = source
        self._window = b""
        self._window_at = 0
        self._read = 0

    def take(self, length: int) -> bytes:
        """The next bytes.

        Raises:
            GgufError: the file ends before.
        """
        at = self.position - self._window_at
        if not (at >= 0 and at + length <= len(self._window)):
            self._refill(length)
            at = 0
        self.position += length
        return self._window[at : at + length]

    def skip(self, length: int) -> None:
        """Go past bytes without reading them.

        Raises:
            GgufError: the file ends before.
        """
        if length > self.size - self.position:
            raise self.cut_short()
        self.position += length

    def u32(self) -> int:
        """An unsigned 32-bit integer."""
        return int(_U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        """An unsigned 64-bit integer."""
        return int(_U64.unpack(self.take(8))[0])

    def string(self, limit: int, keep: int) -> str:
        """A string: 8 bytes length, then UTF-8, where bytes that are none become U+FFFD.

        Args:
            limit: bytes that it may have.
            keep: bytes from its beginning that are returned; the rest is passed over.
        """
        length = self.u64()
        if length > limit:
            raise GgufError(
                f"{self.name} has a string of {length} bytes at byte {self.position}; {limit} are the most allowed.",
                DOWNLOAD_AGAIN,
            )
        kept = self.take(min(length, keep))
        self.skip(length - len(kept))
        return kept.decode("utf-8", "replace")

    def skip_strings(self, count: int) -> None:
        """Go past an array of strings. A vocabulary has 262,144: a loop without calls in it."""
        window, at, end, unpack = self._window, self.position - self._window_at, len(self._window), _U64.unpack_from
        for _ in range(count):
            if at < 0 or at + 8 > end:
                self.position = self._window_at + at
                self._refill(8)
                window, at, end = self._window, 0, len(self._window)
            length = unpack(window, at)[0]
            if length > STRING_LIMIT:
                raise GgufError(f"{self.name} has a string of {length} bytes in an array.", DOWNLOAD_AGAIN)
            at += 8 + length
        self.position = self._window_at + at
        if self.position > self.size:
            raise self.cut_short()

    def cut_short(self) -> GgufError:
        """The error for a file that ends inside its header."""
        return GgufError(f"{self.name} is cut short: it ends inside its header, at byte {self.size}.", DOWNLOAD_AGAIN)

    def _refill(self, length: int) -> None:
        if length > self.size - self.position:
            raise self.cut_short()
        wanted = min(max(length, WINDOW), self.size - self.position)
        self._read += wanted
        if self._read > READ_LIMIT:
            raise GgufError(f"The header of {self.name} goes on past {READ_LIMIT} bytes.", "Look at what the file is.")
        self._window = self._source.read(self.name, self.position, wanted)
        self._window_at = self.position
        if len(self._window) != wanted:
            raise CheckpointError(f"{self.name} became shorter while it was read.", "Try again when it is complete.")
