"""vLLM's loads: `config.json` of small models, served with random weights; only the cache is looked at."""

from __future__ import annotations

from typing import Any, NamedTuple


class VllmLoad(NamedTuple):
    """One load.

    Attributes:
        config: beyond `_COMMON`.
        serve: keyword arguments of `vllm.LLM` beyond `SERVE`.
    """

    name: str
    config: dict[str, Any]
    serve: dict[str, Any]


COMMON: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 512, "hidden_size": 256,
    "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 8,
    "head_dim": 32, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "torch_dtype": "bfloat16",
    "hidden_act": "silu", "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
SERVE: dict[str, Any] = {
    "load_format": "dummy", "skip_tokenizer_init": True, "enforce_eager": True, "max_model_len": 4096,
    "kv_cache_memory_bytes": 300_000_000, "max_num_batched_tokens": 1024, "max_num_seqs": 8,
}  # fmt: skip

_GEMMA3 = {
    "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "num_hidden_layers": 13,
    "num_key_value_heads": 2, "head_dim": 64, "sliding_window": 512, "query_pre_attn_scalar": 64,
    "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True,
    "layer_types": ["full_attention" if layer % 6 == 5 else "sliding_attention" for layer in range(13)],
}  # fmt: skip
_GPT_OSS_LIKE = {**_GEMMA3, "num_hidden_layers": 8,
                 "layer_types": ["sliding_attention", "full_attention"] * 4}  # fmt: skip
_MISTRAL = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "num_key_value_heads": 2,
            "sliding_window": 1024}  # fmt: skip

VLLM_LOADS = (
    VllmLoad("MHA", {}, {}),
    VllmLoad("GQA, blocks of 32", {"num_key_value_heads": 2}, {"block_size": 32, "max_model_len": 5000}),
    VllmLoad("MQA", {"num_key_value_heads": 1}, {}),
    VllmLoad("window in all layers", _MISTRAL, {}),
    VllmLoad("window in 11 of 13 layers", _GEMMA3, {}),
    VllmLoad("window in every 2nd layer, blocks of 64", _GPT_OSS_LIKE, {"block_size": 64}),
)
