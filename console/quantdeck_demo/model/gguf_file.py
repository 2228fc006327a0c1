"""The model as a GGUF file, its matrices in F16 or really quantized."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Literal

import gguf
import numpy as np

from quantdeck_demo.model.vocabulary import BEGIN, CHAT_TEMPLATE, END, PAD, SIZE, SPECIALS, UNKNOWN, Vocabulary
from quantdeck_demo.model.weights import CONTEXT, HEAD_SIZE, HEADS, RMS_EPSILON, ROPE_BASE, Weights

Quantization = Literal["F16", "Q8_0", "Q4_0"]

RECIPE_KEY = "quantdeck.demo.recipe"
"""Metadata: what the file was made from, so that a stale one can be told."""
DESCRIPTION = "A chain of words in the shape of a transformer, for demonstrations and tests. It knows nothing."

_FILE_TYPES = {
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "Q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}


def write_gguf(
    path: Path, weights: Weights, vocabulary: Vocabulary, quantization: Quantization, *, name: str, recipe: str
) -> None:
    """Write the file whole or not at all: it takes its name when it is complete.

    Raises:
        OSError: the file cannot be written; nothing is left behind.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    writer = gguf.GGUFWriter(draft, "llama")
    try:
        _add_metadata(writer, quantization, name=name, recipe=recipe)
        _add_tokenizer(writer, vocabulary)
        _add_tensors(writer, weights, gguf.GGMLQuantizationType[quantization])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(draft, path)
    finally:
        writer.close()
        draft.unlink(missing_ok=True)


def recipe_of(path: Path) -> str | None:
    """What a file says it was made from; None where there is no complete file of ours."""
    try:
        field = gguf.GGUFReader(path).get_field(RECIPE_KEY)
        return None if field is None else str(field.contents())
    except (OSError, ValueError, IndexError, KeyError):
        # The reader reads past the end of truncated files, and each way of doing so has its own exception.
        return None


def _add_metadata(writer: gguf.GGUFWriter, quantization: Quantization, *, name: str, recipe: str) -> None:
    writer.add_name(name)
    writer.add_description(DESCRIPTION)
    writer.add_string(RECIPE_KEY, recipe)
    writer.add_file_type(_FILE_TYPES[quantization])
    if quantization != "F16":
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(SIZE)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(SIZE)
    writer.add_feed_forward_length(SIZE)
    writer.add_block_count(1)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HEAD_SIZE)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    # An engine's usual cut to the 40 likeliest tokens would choose among equally likely words by their rounding errors.
    writer.add_sampling_top_k(0)
    writer.add_sampling_top_p(1.0)
    writer.add_sampling_min_p(0.01)


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    types = [gguf.TokenType.CONTROL] * len(SPECIALS)
    types[vocabulary.ids[UNKNOWN]] = gguf.TokenType.UNKNOWN
    types += [gguf.TokenType.NORMAL] * vocabulary.words
    types += [gguf.TokenType.UNUSED] * (SIZE - len(types))
    # A unigram tokenizer: equal scores make it prefer few long pieces.
    writer.add_tokenizer_model("t5")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_scores([-1.0] * SIZE)
    writer.add_token_types(types)
    writer.add_unk_token_id(vocabulary.ids[UNKNOWN])
    writer.add_bos_token_id(vocabulary.ids[BEGIN])
    writer.add_eos_token_id(vocabulary.ids[END])
    writer.add_pad_token_id(vocabulary.ids[PAD])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_remove_extra_whitespaces(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensors(writer: gguf.GGUFWriter, weights: Weights, matrix_type: gguf.GGMLQuantizationType) -> None:
    tensors = {
        "token_embd": weights.embedding,
        "blk.0.attn_norm": weights.norm,
        "blk.0.attn_q": weights.query,
        "blk.0.attn_k": weights.key,
        "blk.0.attn_v": weights.value,
        "blk.0.attn_output": weights.attention_output,
        "blk.0.ffn_norm": weights.norm,
        "blk.0.ffn_gate": weights.gate,
        "blk.0.ffn_up": weights.up,
        "blk.0.ffn_down": weights.down,
        "output_norm": weights.norm,
        "output": weights.output,
    }
    for name, tensor in tensors.items():
        stored = matrix_type if tensor.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(
            f"{name}.weight", np.ascontiguousarray(gguf.quants.quantize(tensor, stored)), raw_dtype=stored
        )
