"""Small unquantized models of several shapes, with a tokenizer: what every case is quantized from."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from load.forking import PROMPT
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GptOssConfig,
    GptOssForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PretrainedConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 384
"""Tokens: 256 bytes, three special ones and the most frequent pieces of the sentences below."""
_WORDS = (
    "the quick brown fox jumps over the lazy dog and packs my box with five dozen jugs of liquor 0123456789 . , ! ?"
)
_DIMENSIONS: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
}

SHAPES: dict[str, tuple[type[PretrainedConfig], type[Any], dict[str, Any]]] = {
    "llama-mha": (LlamaConfig, LlamaForCausalLM, {"num_key_value_heads": 8}),
    "llama-gqa": (LlamaConfig, LlamaForCausalLM, {"num_key_value_heads": 2}),
    "llama-mqa": (LlamaConfig, LlamaForCausalLM, {"num_key_value_heads": 1, "num_hidden_layers": 3}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"num_key_value_heads": 4}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"num_key_value_heads": 2, "head_dim": 64}),
    "mistral-window": (MistralConfig, MistralForCausalLM, {"num_key_value_heads": 4, "sliding_window": 128}),
    "gemma3": (
        Gemma3TextConfig,
        Gemma3ForCausalLM,
        {
            "num_attention_heads": 4,
            "num_key_value_heads": 1,
            "head_dim": 64,
            "num_hidden_layers": 4,
            "sliding_window": 128,
            "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
            "tie_word_embeddings": True,
        },
    ),
    "gpt-oss": (
        GptOssConfig,
        GptOssForCausalLM,
        {
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "intermediate_size": 256,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "sliding_window": 128,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
}
"""Name -> configuration, model, and what differs from the usual dimensions: MHA, GQA, MQA, sliding windows, MoE."""


def base(shape: str, root: Path) -> Path:
    """The folder of a shape's BF16 model, made once; beside the weights what the model itself answers."""
    folder = root / "bases" / shape
    if (folder / "reference.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    config_class, model_class, changes = SHAPES[shape]
    # The usual 0.02 leaves so small a model's answers almost uniform: too flat to compare.
    config = config_class(**{**_DIMENSIONS, **changes, "initializer_range": 0.06})
    model = model_class(config).to(torch.bfloat16).eval()
    model.save_pretrained(folder)
    write_tokenizer(folder)
    with torch.no_grad():
        answer = model.float()(torch.tensor([PROMPT])).logits[0, -1].log_softmax(-1)
    (folder / "reference.json").write_text(json.dumps([round(value, 5) for value in answer.tolist()]))
    return folder


def load(folder: Path) -> Any:
    """The model of a folder, in BF16 on the CPU."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)


def write_tokenizer(folder: Path) -> None:
    """A SentencePiece tokenizer (`tokenizer.model`, which llama.cpp's converter reads) and the same as JSON."""
    rng = random.Random(0)
    sentences = (" ".join(rng.choices(_WORDS.split(), k=12)) for _ in range(300))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences,
        model_prefix=str(folder / "tokenizer"),
        vocab_size=VOCABULARY,
        model_type="bpe",
        byte_fallback=True,
        pad_id=-1,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        minloglevel=2,
    )
    (folder / "tokenizer.vocab").unlink()
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """The tokenizer's files, for libraries that save weights alone."""
    for name in ("tokenizer.model", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((source / name).read_bytes())


def calibration(rows: int = 16, length: int = 64) -> list[list[int]]:
    """Random token ids for quantizers that look at activations."""
    rng = random.Random(1)
    return [[1, *(rng.randrange(3, VOCABULARY) for _ in range(length - 1))] for _ in range(rows)]
