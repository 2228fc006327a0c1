"""The header of a GGUF file: magic, version, counts, metadata, tensor descriptions.

Source: ggml `docs/gguf.md`; the checks are those of llama.cpp's reader (`ggml/src/gguf.cpp`), which refuses what is
refused here.
"""

from __future__ import annotations

import struct

import msgspec

from quantdeck_core.formats.errors import DOWNLOAD_AGAIN, GgufError
from quantdeck_core.formats.fields import shown
from quantdeck_core.formats.gguf_cursor import KEYS_LIMIT, STRING_LIMIT, TENSORS_LIMIT, Budget, Cursor
from quantdeck_core.formats.gguf_types import TENSOR_TYPES, TensorType
from quantdeck_core.formats.source import Source

MAGIC = b"GGUF"
KEY_LIMIT = 65_535
"""Bytes of a key, by the specification."""
NAME_LIMIT = 63
"""Bytes of a tensor's name (`GGML_MAX_NAME` without its terminator)."""
ARRAY_LIMIT = 1 << 21
"""Strings of one array: eight times the largest vocabulary. Arrays of numbers are passed over without reading."""
KEPT_ARRAY = 4096
"""Numbers of an array that is kept: one per layer, never a vocabulary."""
KEPT_TEXT = 1024

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]


class GgufTensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor: `size` in bytes, `offset` from the beginning of the file's data."""

    name: str
    kind: TensorType
    shape: tuple[int, ...]
    elements: int
    size: int
    offset: int


class GgufHeader(msgspec.Struct, frozen=True):
    """What the header says; long arrays and the rest of long texts are left out."""

    version: int
    metadata: dict[str, Value]
    tensors: tuple[GgufTensor, ...]


def read_header(source: Source, name: str, budget: Budget) -> GgufHeader:
    """The header of one file.

    Args:
        budget: shared by the parts of one model.

    Raises:
        GgufError: it is cut short, inconsistent, absurd, or of a version that is not 2 or 3.
    """
    cursor = Cursor(source, name, budget)
    if cursor.take(4) != MAGIC:
        raise GgufError(f"{name} does not begin with 'GGUF'.", "Look at what the file is.")
    version = cursor.u32()
    if version not in (2, 3):
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        what = "is big-endian" if swapped in (2, 3) else f"has GGUF version {version}; 2 and 3 are known"
        raise GgufError(f"{name} {what}.", "Convert the model again with a current convert_hf_to_gguf.py.")
    tensor_count, key_count = cursor.u64(), cursor.u64()
    for what, count, limit in (("tensors", tensor_count, TENSORS_LIMIT), ("keys", key_count, KEYS_LIMIT)):
        if count > limit:
            raise GgufError(f"{name} says it has {count} {what}; no model has.", DOWNLOAD_AGAIN)
        budget.spend(what, count, name)
    metadata = _metadata(cursor, key_count)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise GgufError(f"The alignment of {name} is {shown(str(alignment))}, no power of two.", DOWNLOAD_AGAIN)
    tensors = _tensors(cursor, tensor_count, alignment)
    data = -(-cursor.position // alignment) * alignment
    end = max((data + tensor.offset + tensor.size for tensor in tensors), default=0)
    if end > cursor.size:
        raise GgufError(
            f"{name} is cut short: its tensors end at byte {end}, the file has {cursor.size}.", DOWNLOAD_AGAIN
        )
    return GgufHeader(version, metadata, tensors)


def _metadata(cursor: Cursor, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(count):
        key = cursor.string(KEY_LIMIT, KEY_LIMIT)
        if not key or key in metadata:
            what = f"has the key {shown(key)!r} twice" if key else "has a key without a name"
            raise GgufError(f"{cursor.name} {what}.", DOWNLOAD_AGAIN)
        kind = cursor.u32()
        if kind == _ARRAY:
            kind, length = cursor.u32(), cursor.u64()
            metadata[key] = _array(cursor, key, kind, length)
        else:
            metadata[key] = _scalar(cursor, key, kind)
    return metadata


def _scalar(cursor: Cursor, key: str, kind: int) -> Scalar:
    if kind == _STRING:
        return cursor.string(STRING_LIMIT, KEPT_TEXT)
    layout = _SCALARS.get(kind)
    if layout is None:
        raise GgufError(f"The key {shown(key)!r} of {cursor.name} has the unknown type {kind}.", DOWNLOAD_AGAIN)
    value: Scalar = struct.unpack(layout, cursor.take(struct.calcsize(layout)))[0]
    return value


def _array(cursor: Cursor, key: str, kind: int, length: int) -> tuple[Scalar, ...]:
    """Short arrays of numbers; of everything else an empty tuple. Nested arrays are refused, as llama.cpp does."""
    if kind == _STRING:
        if length > ARRAY_LIMIT:
            raise GgufError(f"{shown(key)!r} of {cursor.name} has {length} strings; no model has.", DOWNLOAD_AGAIN)
        cursor.budget.spend("array strings", length, cursor.name)
        cursor.skip_strings(length)
        return ()
    layout = _SCALARS.get(kind)
    if layout is None:
        what = "nests arrays" if kind == _ARRAY else f"has the unknown type {kind}"
        raise GgufError(f"The array {shown(key)!r} of {cursor.name} {what}.", DOWNLOAD_AGAIN)
    width = struct.calcsize(layout)
    if length > KEPT_ARRAY or not cursor.budget.affords("kept numbers", length):
        cursor.skip(length * width)
        return ()
    values = struct.unpack(f"<{length}{layout[1]}", cursor.take(length * width))
    return tuple(values)


def _tensors(cursor: Cursor, count: int, alignment: int) -> tuple[GgufTensor, ...]:
    tensors: dict[str, GgufTensor] = {}
    expected = 0
    for _ in range(count):
        tensor = _tensor(cursor)
        if tensor.name in tensors:
            raise GgufError(f"{cursor.name} has the tensor {shown(tensor.name)!r} twice.", DOWNLOAD_AGAIN)
        if tensor.offset != expected:
            raise GgufError(
                f"Tensor {shown(tensor.name)!r} of {cursor.name} begins at {tensor.offset} and should at {expected}.",
                DOWNLOAD_AGAIN,
            )
        tensors[tensor.name] = tensor
        expected += -(-tensor.size // alignment) * alignment
    return tuple(tensors.values())


def _tensor(cursor: Cursor) -> GgufTensor:
    name = cursor.string(NAME_LIMIT, NAME_LIMIT)
    dimensions = cursor.u32()
    if not name or not 1 <= dimensions <= 4:
        raise GgufError(
            f"Tensor {shown(name)!r} of {cursor.name} has {dimensions} dimensions; 1 to 4 are possible.", DOWNLOAD_AGAIN
        )
    shape = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions))
    number, offset = cursor.u32(), cursor.u64()
    kind = TENSOR_TYPES.get(number)
    if kind is None:
        raise GgufError(
            f"Tensor {shown(name)!r} of {cursor.name} has type {number}, unknown to llama.cpp of October 2026.",
            "The file may be newer than quantdeck: update it, and the engine; or the file is damaged.",
        )
    elements = 1
    for extent in shape:
        elements *= extent
    if elements >= 2**63 or shape[0] % kind.block:
        raise GgufError(
            f"Tensor {shown(name)!r} of {cursor.name} has the shape {list(shape)}, impossible for {kind.name}.",
            DOWNLOAD_AGAIN,
        )
    return GgufTensor(name, kind, shape, elements, elements // kind.block * kind.size, offset)
