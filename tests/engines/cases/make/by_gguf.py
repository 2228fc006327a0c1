"""GGUF, by the PyPI package `gguf`; and files that went wrong."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import sentencepiece
from safetensors.torch import load_file

_ARCHITECTURES = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2}


def make(base: Path, folder: Path, options: dict[str, Any]) -> str:
    """A file `model.gguf` of one `type`, in files of `split_max_tensors`; then what is to be wrong with it."""
    folder.mkdir()
    write(
        base, folder / "model.gguf", options["type"], options.get("architecture"), options.get("split_max_tensors", 0)
    )
    if missing := options.get("missing"):
        next(folder.glob(f"*-{missing:05d}-of-*")).unlink()
    path = folder / "model.gguf"
    if keep := options.get("keep"):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    if tensor_type := options.get("tensor_type"):
        path.write_bytes(_retyped(path.read_bytes(), tensor_type))
    return "gguf"


def write(base: Path, path: Path, kind: str, architecture: str | None = None, split: int = 0) -> None:
    """The base model as GGUF; vectors, and matrices that the type cannot hold, in F32."""
    config = json.loads((base / "config.json").read_text())
    arch = _ARCHITECTURES.get(config["model_type"], gguf.MODEL_ARCH.LLAMA)
    writer = gguf.GGUFWriter(path, architecture or gguf.MODEL_ARCH_NAMES[arch], split_max_tensors=split)
    _metadata(writer, config, kind)
    _tokenizer(writer, base)
    names = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
    wanted = gguf.GGMLQuantizationType[kind]
    for name, tensor in load_file(base / "model.safetensors").items():
        values = tensor.float().numpy()
        if arch is gguf.MODEL_ARCH.LLAMA:
            values = _rotated(name, values, config)
        stored = wanted if values.ndim > 1 else gguf.GGMLQuantizationType.F32
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(str(new), gguf.quants.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _metadata(writer: gguf.GGUFWriter, config: dict[str, Any], kind: str) -> None:
    writer.add_file_type(gguf.LlamaFileType["MOSTLY_" + ("MXFP4_MOE" if kind == "MXFP4" else kind)])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])


def _tokenizer(writer: gguf.GGUFWriter, base: Path) -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(base / "tokenizer.model"))
    count = pieces.vocab_size()
    kinds = [
        gguf.TokenType.UNKNOWN
        if pieces.is_unknown(i)
        else gguf.TokenType.CONTROL
        if pieces.is_control(i)
        else gguf.TokenType.BYTE
        if pieces.is_byte(i)
        else gguf.TokenType.NORMAL
        for i in range(count)
    ]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([pieces.id_to_piece(i) for i in range(count)])
    writer.add_token_scores([pieces.get_score(i) for i in range(count)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def _rotated(name: str, values: npt.NDArray[np.float32], config: dict[str, Any]) -> npt.NDArray[np.float32]:
    """llama.cpp rotates neighbours where transformers rotates halves: query and key rows change places."""
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-2])
    if heads is None:
        return values
    rows = values.reshape(config[heads], 2, -1, *values.shape[1:])
    return rows.swapaxes(1, 2).reshape(values.shape)


def _retyped(content: bytes, tensor_type: int) -> bytes:
    """The file with another type at its tensor `output.weight`."""
    name = b"output.weight"
    at = content.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
    dimensions = struct.unpack_from("<I", content, at)[0]
    at += 4 + 8 * dimensions
    return content[:at] + struct.pack("<I", tensor_type) + content[at + 4 :]
