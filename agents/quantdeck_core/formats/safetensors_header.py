"""The header of a safetensors file: 8 bytes little-endian length, then JSON.

Source: https://github.com/huggingface/safetensors (README, 'Format'). The checks are those of its reader: an engine
that uses it refuses whatever is refused here.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.formats.errors import DOWNLOAD_AGAIN, SafetensorsError
from quantdeck_core.formats.fields import shown
from quantdeck_core.formats.source import Source, read_exactly

HEADER_LIMIT = 100 << 20
"""Bytes; the reference reader refuses longer headers too."""
TENSORS_LIMIT = 1 << 18
"""Tensors of one file; the largest open models have about 100,000 in all their files."""

BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
"""dtype -> bits of one element."""

_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor as the header describes it.

    Attributes:
        data_offsets: first byte and byte after the last, counted from the end of the header.
    """

    dtype: str
    shape: Annotated[tuple[_Count, ...], Meta(max_length=16)]
    data_offsets: tuple[_Count, _Count]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.data_offsets[1] - self.data_offsets[0]


_HEADER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TENSOR = msgspec.json.Decoder(Tensor)
_METADATA = msgspec.json.Decoder(dict[str, str] | None)


def read_tensors(source: Source, name: str) -> dict[str, Tensor]:
    """Name -> tensor of one file; two reads, the second of the header's own length.

    Raises:
        SafetensorsError: the header is cut short, inconsistent, or does not describe this file.
    """
    size = source.files()[name]
    if size < 8:
        raise SafetensorsError(f"{name} has {size} bytes, less than the shortest safetensors file.", DOWNLOAD_AGAIN)
    length = int.from_bytes(read_exactly(source, name, 0, 8), "little")
    if length > HEADER_LIMIT:
        raise SafetensorsError(
            f"{name} says its header has {length} bytes; the format allows {HEADER_LIMIT}.",
            "Either this is no safetensors file, or its beginning is damaged.",
        )
    if 8 + length > size:
        raise SafetensorsError(
            f"{name} is cut short: its header should have {length} bytes, the file has {size}.", DOWNLOAD_AGAIN
        )
    return parse_tensors(read_exactly(source, name, 8, length), size - 8 - length, name)


def parse_tensors(header: bytes, data_size: int, name: str) -> dict[str, Tensor]:
    """The tensors of a header.

    Args:
        header: the JSON, without the length before it.
        data_size: bytes of the file after the header.
        name: of the file, for messages.

    Raises:
        SafetensorsError: as `read_tensors`.
    """
    # A tensor has four colons and, with up to nine dimensions, twelve commas: a flood is seen before it fills memory.
    if header.count(b":") > 5 * TENSORS_LIMIT or header.count(b",") > 12 * TENSORS_LIMIT:
        raise SafetensorsError(
            f"{name} has more than {TENSORS_LIMIT} tensors, or values of another kind; no model has.",
            "Look at what the file is.",
        )
    try:
        entries = _HEADER.decode(header)
        _METADATA.decode(entries.pop("__metadata__", msgspec.Raw(b"null")))
        tensors = {key: _TENSOR.decode(raw) for key, raw in entries.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SafetensorsError(
            f"The header of {name} is not what safetensors writes: {shown(str(error))}.", DOWNLOAD_AGAIN
        ) from None
    _check(tensors, data_size, name)
    return tensors


def _check(tensors: dict[str, Tensor], data_size: int, name: str) -> None:
    """Sizes match types and shapes; the tensors fill the file from its first byte to its last, without overlap."""
    end = 0
    for key, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        bits = BITS.get(tensor.dtype)
        if bits is None:
            raise SafetensorsError(
                f"Tensor {shown(key)!r} in {name} has the type {shown(tensor.dtype)!r}, which no release of "
                "safetensors up to 0.8 writes.",
                "Update quantdeck, or compare the file with its source.",
            )
        if tensor.size * 8 != tensor.elements * bits:
            raise SafetensorsError(
                f"Tensor {shown(key)!r} in {name} has {tensor.size} bytes, but its type and shape need "
                f"{tensor.elements * bits // 8}.",
                DOWNLOAD_AGAIN,
            )
        if tensor.data_offsets[0] != end:
            what = "overlaps the one before it" if tensor.data_offsets[0] < end else "leaves a gap before it"
            raise SafetensorsError(f"Tensor {shown(key)!r} in {name} {what}.", DOWNLOAD_AGAIN)
        end = tensor.data_offsets[1]
    if end != data_size:
        what = "is cut short" if end > data_size else "is longer than its header says"
        raise SafetensorsError(f"{name} {what}: {end} bytes of tensors, {data_size} in the file.", DOWNLOAD_AGAIN)
