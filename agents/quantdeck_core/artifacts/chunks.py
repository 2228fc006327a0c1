"""A file on its way, in chunks of one size: which of them arrived, and which are still to be sent.

What arrived is an integer, bit `i` for chunk `i`.
"""

from __future__ import annotations

from collections.abc import Iterator

CHUNK_BYTES = 4 << 20
"""Four of them in flight fill 1.2 Gbit/s at 100 ms; an agent that dies loses little."""


def count_of(size: int) -> int:
    """Chunks of a file; an empty file has none."""
    return -(-size // CHUNK_BYTES)


def length_of(size: int, index: int) -> int:
    """Bytes of one chunk: the last one is shorter."""
    return max(0, min(CHUNK_BYTES, size - index * CHUNK_BYTES))


def all_of(size: int) -> int:
    """The bits of a whole file."""
    return (1 << count_of(size)) - 1


def bytes_of(have: int, size: int) -> int:
    """Bytes that arrived."""
    last = count_of(size) - 1
    if last < 0:
        return 0
    whole = have.bit_count() * CHUNK_BYTES
    return whole - (CHUNK_BYTES - length_of(size, last)) if have >> last & 1 else whole


def missing(have: int, size: int) -> Iterator[tuple[int, int]]:
    """Runs of chunks that have not arrived: first, and the one after the last."""
    count, index = count_of(size), 0
    while index < count:
        rest = have >> index
        if rest & 1:
            index += _trailing(~rest)  # to the end of what is there
            continue
        end = min(count, index + _trailing(rest)) if rest else count
        yield index, end
        index = end


def _trailing(bits: int) -> int:
    """Zeros below the lowest one."""
    return (bits & -bits).bit_length() - 1
