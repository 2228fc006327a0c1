"""Safetensors headers: what is read, and what is refused with which words."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from quantdeck_core.formats.errors import SafetensorsError
from quantdeck_core.formats.safetensors_header import HEADER_LIMIT, TENSORS_LIMIT, Tensor, read_tensors
from support.checkpoints import MemorySource, safetensors


def read(content: bytes) -> dict[str, Tensor]:
    return read_tensors(MemorySource({"m.safetensors": content}), "m.safetensors")


def with_header(header: object, data: int) -> bytes:
    body = json.dumps(header).encode()
    return struct.pack("<Q", len(body)) + body + bytes(data)


def entry(dtype: str = "F16", shape: Any = (2, 2), offsets: Any = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_tensors_with_type_shape_and_size() -> None:
    tensors = read(safetensors({"a": ("BF16", (3, 4)), "b": ("F4", (8,)), "c": ("I32", ())}))
    assert {name: (t.dtype, t.elements, t.size) for name, t in tensors.items()} == {
        "a": ("BF16", 12, 24),
        "b": ("F4", 8, 4),
        "c": ("I32", 1, 4),
    }


def test_only_the_header_is_read() -> None:
    content = safetensors({"a": ("F32", (1000, 1000))})
    source = MemorySource({"m.safetensors": content})
    read_tensors(source, "m.safetensors")
    assert source.taken == len(content) - 4_000_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes"),
        (struct.pack("<Q", 2**63) + b"{}", "says its header has 9223372036854775808"),
        (struct.pack("<Q", HEADER_LIMIT + 1) + b"{}", "the format allows"),
        (struct.pack("<Q", 50) + b"{}", "cut short"),
        (with_header([1], 0), "not what safetensors writes"),
        (with_header({"a": entry(offsets=(0, 2**70))}, 8), "not what safetensors writes"),
        (with_header({"a": entry(offsets=(0, -8))}, 8), "not what safetensors writes"),
        (with_header({"a": entry(shape=(-2, 2))}, 8), "not what safetensors writes"),
        (with_header({"a": entry(shape=[1] * 17)}, 8), "not what safetensors writes"),
        (with_header({"a": {"dtype": "F16"}}, 8), "not what safetensors writes"),
        (with_header({"__metadata__": {"a": 1}}, 0), "not what safetensors writes"),
        (with_header({"a": entry(dtype="Q9")}, 8), "type 'Q9'"),
        (with_header({"a": entry(shape=(2, 3))}, 8), "need 12"),
        (with_header({"a": entry(offsets=(8, 0))}, 8), "-8 bytes"),
        (with_header({"a": entry(), "b": entry(offsets=(4, 12))}, 12), "overlaps"),
        (with_header({"a": entry(), "b": entry(offsets=(10, 18))}, 18), "leaves a gap"),
        (with_header({"a": entry()}, 7), "is cut short"),
        (with_header({"a": entry()}, 9), "longer than its header says"),
        (with_header({"a": entry(shape=[2**62] * 16)}, 8), "type and shape need"),
    ],
)
def test_refusals(content: bytes, words: str) -> None:
    with pytest.raises(SafetensorsError) as caught:
        read(content)
    assert words in caught.value.detail
    assert caught.value.hint


def test_deep_json_is_refused() -> None:
    body = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(SafetensorsError):
        read(struct.pack("<Q", len(body)) + body)


def test_a_flood_of_tensors_is_refused() -> None:
    body = b"{" + b",".join(b'"%d":{}' % i for i in range(5 * TENSORS_LIMIT + 1)) + b"}"
    with pytest.raises(SafetensorsError, match="no model has"):
        read(struct.pack("<Q", len(body)) + body)
