"""A place in a GGUF file that moves forward and never reads past what it was allowed."""

from __future__ import annotations

import struct

from quantdeck_core.formats.errors import DOWNLOAD_AGAIN, CheckpointError, GgufError
from quantdeck_core.formats.source import Source

WINDOW = 64 << 10
"""Bytes read at once."""
READ_LIMIT = 128 << 20
"""Bytes of headers read from one model. The largest vocabularies make headers of about 20 MB."""
STRINGS_LIMIT = 1 << 22
"""Strings in all arrays of one model, so that time is bounded."""
KEYS_LIMIT = 65_536
"""Keys of one model. Only the first part of a split one has many."""
TENSORS_LIMIT = 65_536
"""Tensors of one model. The largest have about 3,000."""
STRING_LIMIT = 16 << 20
"""Bytes of one string; chat templates have some ten thousand."""

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
NUMBERS_LIMIT = 1 << 18
"""Numbers of arrays that are kept of one model: those behind are passed over."""


class Budget:
    """What reading one model may still cost, counted over all its parts: a thousand parts cost no more than one."""

    def __init__(self) -> None:
        self._left = {
            "bytes": READ_LIMIT,
            "array strings": STRINGS_LIMIT,
            "keys": KEYS_LIMIT,
            "tensors": TENSORS_LIMIT,
            "kept numbers": NUMBERS_LIMIT,
        }

    def affords(self, what: str, amount: int) -> bool:
        """Take if there is so much left."""
        if self._left[what] < amount:
            return False
        self._left[what] -= amount
        return True

    def spend(self, what: str, amount: int, name: str) -> None:
        """Take what the model must not go beyond.

        Raises:
            GgufError: there is not so much left.
        """
        if not self.affords(what, amount):
            raise GgufError(f"With {name} the model's headers have more {what} than any model.", "Look at the file.")


class Cursor:
    """Reads little-endian values one after the other.

    Attributes:
        position: bytes from the file's beginning.
        size: bytes of the file.
    """

    def __init__(self, source: Source, name: str, budget: Budget) -> None:
        self.name = name
        self.budget = budget
        self.size = source.files()[name]
        self.position = 0
        self._source = source
        self._window = b""
        self._window_at = 0

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
        self.budget.spend("bytes", wanted, self.name)
        self._window = self._source.read(self.name, self.position, wanted)
        self._window_at = self.position
        if len(self._window) != wanted:
            raise CheckpointError(f"{self.name} became shorter while it was read.", "Try again when it is complete.")
