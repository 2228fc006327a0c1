"""Changes to a folder: in its bytes, its numbers, its JSON, and in which files it has."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

from fuzz.case import NAMES, File, decode, encode

SIZE_LIMIT = 1 << 16
"""Bytes of one file's content; more only takes time."""
_NUMBERS = (0, 1, 2, 7, 31, 255, 4096, 65_535, 65_536, 65_537, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 4, 128, 2**31, 2**40, 2**63, 10**400, 1.5, float("inf"), "", "x", "\x1b[2J\ud800",
    [], [0], [[]], {}, {"": {}}, [1, "a", None], ["full_attention"] * 3, "M*-" * 9, 4096,
)  # fmt: skip


def mutate(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One to four changes; `others` gives files to borrow."""
    files = decode(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        if not files or chance.random() < 0.05:
            files.update(decode(chance.choice(others)))
            continue
        name = chance.choice(list(files))
        files[name] = _changed(name, files[name], chance)
        match chance.randrange(24):
            case 0:
                del files[name]
            case 1:
                files[chance.choice(NAMES)] = files[name]
            case 2:
                files[name] = File(chance.choice((1 << 20, 1 << 30, 1 << 49, 2**63 - 1)), files[name].content)
    return encode(files)


def _changed(name: str, file: File, chance: random.Random) -> File:
    content = file.content
    if name.endswith(".json") and chance.random() < 0.7:
        changed = _json(content, chance)
    elif name.endswith(".safetensors") and chance.random() < 0.6:
        length = int.from_bytes(content[:8], "little")
        header = _json(content[8 : 8 + length], chance)
        changed = struct.pack("<Q", len(header)) + header + content[8 + length :]
    else:
        changed = _bytes(content, chance)
    changed = changed[:SIZE_LIMIT]
    return File(len(changed) if file.claimed == len(content) else file.claimed, changed)


def _bytes(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    match chance.randrange(6):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + chance.randbytes(chance.randrange(1, 9)) + content[at:]
        case 2:
            return content[:at] + content[at + chance.randrange(1, 33) :]
        case 3:
            end = at + chance.randrange(1, 200)
            return content[:end] + content[at:end] * chance.randrange(1, 20) + content[end:]
        case 4:
            layout = chance.choice(("<I", "<Q", "<H"))
            number = chance.choice(_NUMBERS) & ((1 << 8 * struct.calcsize(layout)) - 1)
            return content[:at] + struct.pack(layout, number) + content[at + struct.calcsize(layout) :]
        case _:
            return content[:at] + chance.randbytes(1) + content[at + 1 :]


def _json(content: bytes, chance: random.Random) -> bytes:
    """One value anywhere in it becomes another, or comes in new; text that is no JSON is changed as bytes."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return _bytes(content, chance)
    place = body
    if isinstance(body, dict) and chance.random() < 0.3:
        body[chance.choice(_KEYS)] = chance.choice(_VALUES)
        return json.dumps(body).encode("utf-8", "surrogatepass")
    while isinstance(place, dict | list) and place:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.2:
            place[key] = chance.choice(_VALUES)
            break
        place = place[key]
    return json.dumps(body).encode("utf-8", "surrogatepass")


_KEYS = (
    "num_hidden_layers", "num_key_value_heads", "head_dim", "sliding_window", "layer_types", "layers_block_type",
    "block_types", "attn_type_list", "block_configs", "attn_layer_indices", "attn_layer_period", "attn_layer_offset",
    "full_attention_interval", "max_window_layers", "no_rope_layers", "attention_chunk_size", "num_kv_shared_layers",
    "sliding_window_pattern", "model_type", "text_config", "quantization_config", "quant_method", "bits", "dynamic",
    "data_type", "packing_format", "config_groups", "weights", "kv_cache_scheme", "producer", "meta", "dataset",
    "weight_map", "__metadata__", "dtype", "shape", "data_offsets", "num_experts", "ffn_config", "kv_lora_rank",
)  # fmt: skip
