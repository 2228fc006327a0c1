"""What transformers assumes where the language part of a multimodal model leaves a key out.

LLaVA writes a `text_config` of five keys, Gemma 3 one without heads; the class of the `model_type` has the rest.
Source: the defaults of transformers 5.19's configuration classes, printed with `CONFIG_MAPPING[name]().to_dict()`.
"""

from __future__ import annotations

from quantdeck_core.formats.fields import Json, text

_KEYS = (
    "num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "vocab_size", "max_position_embeddings", "sliding_window",
)  # fmt: skip

_VALUES: dict[str, tuple[int | None, ...]] = {
    "llama": (32, 4096, 32, None, None, 11008, 32000, 2048, None),
    "mistral": (32, 4096, 32, 8, None, 14336, 32000, 131072, 4096),
    "gemma": (28, 3072, 16, 16, 256, 24576, 256000, 8192, None),
    "gemma2": (26, 2304, 8, 4, 256, 9216, 256000, 8192, 4096),
    "gemma3_text": (26, 2304, 8, 4, 256, 9216, 262208, 131072, 4096),
    "gemma3n_text": (35, 2048, 8, 2, 256, 16384, 262400, 32768, 512),
    "gemma4_text": (30, 2304, 8, 4, 256, 9216, 262144, 131072, 512),
    "qwen2": (32, 4096, 32, 32, None, 22016, 151936, 32768, None),
    "qwen3": (32, 4096, 32, 32, 128, 22016, 151936, 32768, None),
    "phi3": (32, 3072, 32, None, None, 8192, 32064, 4096, None),
}
"""model_type -> values in the order of `_KEYS`."""


def with_defaults(part: Json) -> Json:
    """The part, completed; as it is where its `model_type` is not in the table. A null in it stays null."""
    values = _VALUES.get(text(part, "model_type") or "")
    if values is None:
        return part
    known = {key: value for key, value in zip(_KEYS, values, strict=True) if value is not None}
    return {**known, **part}
