"""A synthetic model as a GGUF file: a real header, and a hole in the place of the weights, which reads as zeros."""

from __future__ import annotations

import math
from pathlib import Path

import gguf
import numpy as np

from engines.loads.models import Model, tensors

_SPECIALS = ("<unk>", "<s>", "</s>")


def write(path: Path, model: Model) -> None:
    """Write the file; however large it says it is, it takes as much disk as its header."""
    writer = gguf.GGUFWriter(path, model.arch)
    _add_shape(writer, model)
    _add_tokenizer(writer, model.vocab)
    for name, dims, kind in tensors(model):
        block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
        nbytes = math.prod(dims) // block * size
        writer.add_tensor_info(name, dims[::-1], np.dtype(np.float32), nbytes, gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    aligned = sum(gguf.GGUFWriter.ggml_pad(info.nbytes, writer.data_alignment) for info in writer.tensors[0].values())
    with path.open("r+b") as file:
        file.truncate(gguf.GGUFWriter.ggml_pad(path.stat().st_size, writer.data_alignment) + aligned)


def _add_shape(writer: gguf.GGUFWriter, model: Model) -> None:
    writer.add_name(model.name)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(model.vocab)
    writer.add_context_length(model.context)
    writer.add_embedding_length(model.hidden)
    writer.add_block_count(model.layers)
    writer.add_head_count(model.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_feed_forward_length(model.feed_forward)
    if model.window:
        writer.add_sliding_window(model.window)
    if model.experts:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(model.experts_used)
        writer.add_expert_feed_forward_length(model.feed_forward)
    if not model.kv_rank:
        writer.add_head_count_kv(model.kv_heads)
        writer.add_rope_dimension_count(model.head_dim)
        writer.add_key_length(model.head_dim)
        writer.add_value_length(model.head_dim)
        return
    # llama.cpp's converter writes MLA as attention with one key head as wide as the compressed vector.
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(model.rope)
    writer.add_kv_lora_rank(model.kv_rank)
    writer.add_key_length(model.kv_rank + model.rope)
    writer.add_value_length(model.kv_rank)
    writer.add_key_length_mla(model.head_dim)
    writer.add_value_length_mla(model.head_dim - model.rope)
    writer.add_leading_dense_block_count(model.layers)
    writer.add_expert_shared_count(0)
    writer.add_expert_feed_forward_length(model.feed_forward)


def _add_tokenizer(writer: gguf.GGUFWriter, size: int) -> None:
    """A unigram tokenizer that nothing is sent to: prompts are numbers of tokens."""
    writer.add_tokenizer_model("t5")
    writer.add_token_list([*_SPECIALS, *(f"t{number}" for number in range(size - len(_SPECIALS)))])
    writer.add_token_scores([-1.0] * size)
    normal = [gguf.TokenType.NORMAL] * (size - len(_SPECIALS))
    writer.add_token_types([gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, *normal])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
