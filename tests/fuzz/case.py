"""One input of the fuzzer: a folder of files, as one string of bytes that a fuzzer can change and a file can keep."""

from __future__ import annotations

import struct
from typing import NamedTuple

FILES_LIMIT = 12
NAMES = (
    "config.json", "model.safetensors", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors", "m.gguf", "m-00001-of-00002.gguf", "m-00002-of-00002.gguf",
    "hf_quant_config.json", "quantize_config.json", "quant_config.json", "recipe.yaml", "adapter_config.json",
    "pytorch_model.bin", "mmproj.gguf", "consolidated.safetensors", "odd",
)  # fmt: skip
"""What files are called; in the bytes a number stands for a name."""

_HEAD = struct.Struct("<BQI")


class File(NamedTuple):
    """A file that says it has `claimed` bytes (at least those of `content`); behind them it repeats its last 16."""

    claimed: int
    content: bytes


def encode(files: dict[str, File]) -> bytes:
    """As bytes."""
    parts = []
    for name, file in files.items():
        parts.append(_HEAD.pack(NAMES.index(name), file.claimed, len(file.content)) + file.content)
    return b"".join(parts)


def decode(data: bytes) -> dict[str, File]:
    """Any bytes are some folder."""
    files: dict[str, File] = {}
    at = 0
    while at + _HEAD.size <= len(data) and len(files) < FILES_LIMIT:
        name, claimed, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        content = data[at : at + length]
        at += length
        files[NAMES[name % len(NAMES)]] = File(max(claimed, len(content)) & (2**63 - 1), content)
    return files


class FuzzSource:
    """The folder as `quantdeck_core.formats` reads it; counts what is read."""

    def __init__(self, files: dict[str, File]) -> None:
        self._files = files
        self.bytes_read = 0
        self.reads = 0

    def files(self) -> dict[str, int]:
        """Name -> claimed size."""
        return {name: file.claimed for name, file in self._files.items()}

    def read(self, name: str, offset: int, length: int) -> bytes:
        """What is there, then the same bytes over and over until the claimed end."""
        claimed, content = self._files[name]
        length = max(0, min(length, claimed - offset))
        self.reads += 1
        self.bytes_read += length
        data = bytearray(content[offset : offset + length])
        if rest := length - len(data):
            filler = content[-16:] or b"\0"
            shift = max(0, offset - len(content)) % len(filler)
            turned = filler[shift:] + filler[:shift]
            while len(data) < length:
                data += turned * min(4096, rest // len(turned) + 1)
            del data[length:]
        return bytes(data)
