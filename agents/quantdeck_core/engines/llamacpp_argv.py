"""llama.cpp: its own server, xllamacpp with the same flags, and llama-cpp-python's server."""

from __future__ import annotations

from quantdeck_core.profile.serve import Resolved

GGML_TYPES = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30,
}  # fmt: skip
"""Name -> number of ggml's enum (ggml/include/ggml.h), which is what llama-cpp-python takes."""


def llamacpp_values(serve: Resolved) -> dict[str, object]:
    """Values of flags that are no fields."""
    return {
        "context": serve.max_model_len * serve.max_num_seqs,
        # -1 means `auto` to llama.cpp, and `auto` is what fits.
        "gpu_layers": "all" if serve.n_gpu_layers == -1 else serve.n_gpu_layers,
        "kv_type_number": GGML_TYPES.get(serve.kv_cache_dtype or "f16"),
    }


def llama_cpp_python_values(serve: Resolved) -> dict[str, object]:
    """Its booleans are words."""
    return {**llamacpp_values(serve), "flash_attn": "true" if serve.flash_attn == "on" else "false"}


def llama_cpp_python_env(host: str, port: int) -> dict[str, str]:
    """Variables that win over its flags."""
    return {"HOST": host, "PORT": str(port)}
