"""Small checkpoints made on the spot, and a source that counts what is read from it."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from quantdeck_core.formats.safetensors_header import BITS

Described = Mapping[str, tuple[str, tuple[int, ...]]]
"""Tensor -> dtype and shape."""

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
PLAIN: Described = {"model.layers.0.self_attn.q_proj.weight": ("BF16", (256, 256))}


class MemorySource:
    """Files in a dict; `taken` counts the bytes that were read."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.contents = dict(files)
        self.taken = 0

    def files(self) -> dict[str, int]:
        return {name: len(content) for name, content in self.contents.items()}

    def read(self, name: str, offset: int, length: int) -> bytes:
        data = self.contents[name][offset : offset + length]
        self.taken += len(data)
        return data


def safetensors_header(tensors: Described) -> tuple[bytes, int]:
    """Length and JSON, and the bytes of data that must follow."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + math.prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    body = json.dumps(header).encode()
    return struct.pack("<Q", len(body)) + body, end


def safetensors(tensors: Described = PLAIN) -> bytes:
    """A whole file, its data zeros."""
    header, size = safetensors_header(tensors)
    return header + bytes(size)


def sparse_safetensors(path: Path, tensors: Described) -> int:
    """A whole file on disk whose data takes no room; returns its size."""
    header, size = safetensors_header(tensors)
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    return len(header) + size


def hf(
    quantization: Mapping[str, object] | None = None, tensors: Described = PLAIN, **config: object
) -> dict[str, bytes]:
    """A folder with config.json and one safetensors file."""
    body = {**LLAMA, **config}
    if quantization is not None:
        body["quantization_config"] = quantization
    return {"config.json": json.dumps(body).encode(), "model.safetensors": safetensors(tensors)}


def hf_on_disk(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The folder, written."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def gguf_bytes(
    path: Path,
    kinds: Mapping[str, gguf.GGMLQuantizationType],
    *,
    file_type: int | None = None,
    rows: int = 2,
    tokens: int = 3,
    **numbers: int,
) -> bytes:
    """A GGUF by the PyPI package: 256 columns a tensor, its data zeros."""
    writer = gguf.GGUFWriter(path, "llama")
    if file_type is not None:
        writer.add_file_type(file_type)
    writer.add_block_count(2)
    writer.add_context_length(4096)
    writer.add_embedding_length(256)
    writer.add_head_count(8)
    writer.add_head_count_kv(2)
    writer.add_token_list([f"t{i}" for i in range(tokens)])
    for key, value in numbers.items():
        writer.add_uint32(key.replace("__", "."), value)
    for name, kind in kinds.items():
        block, size = gguf.GGML_QUANT_SIZES[kind]
        data = np.zeros((rows, 256 // block * size), dtype=np.uint8)
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()
