"""NVIDIA ModelOpt's declaration of a quantization, in `quantization_config` or in hf_quant_config.json.

Source: ModelOpt 0.47, `torch/export/convert_hf_config.py`; vLLM 0.32, `layers/quantization/modelopt.py`.
"""

from __future__ import annotations

import re

from quantdeck_core.formats.fields import Json, integer, positive, section, text
from quantdeck_core.formats.quantization import Quantization


def read_modelopt(config: Json) -> Quantization:
    """NVIDIA ModelOpt: `quant_algo` is FP8, NVFP4, W4A16_AWQ, MIXED_PRECISION, ..."""
    method = (text(config, "quant_method") or "").lower()
    algorithm = text(config, "quant_algo") or {
        "modelopt_fp4": "NVFP4", "modelopt_mxfp8": "MXFP8", "mxfp8": "MXFP8", "modelopt_mixed": "MIXED_PRECISION",
    }.get(method, "FP8")  # fmt: skip
    name = algorithm.upper()
    scheme = _MODELOPT_SCHEMES.get(name, name.lower())
    weight = re.search(r"(?:W|FP|INT)(\d{1,2})", name)
    return Quantization(
        format="modelopt",
        label=f"ModelOpt {name.replace('_', ' ').lower() if scheme == 'mixed_precision' else name}",
        scheme=scheme,
        bits=int(weight[1]) if weight else None,
        group_size=integer(config, "group_size") or integer(_first_weights(config), "group_size"),
        packing=name,
        kv_cache_dtype=kv_cache_dtype(config.get("kv_cache_scheme") or config.get("kv_cache_quant_algo")),
    )


_MODELOPT_SCHEMES = {
    "FP8": "fp8", "FP8_PER_CHANNEL_PER_TOKEN": "fp8", "FP8_PB_WO": "fp8", "FP8_BLOCK_SCALES": "fp8",
    "NVFP4": "nvfp4", "W4A16_NVFP4": "nvfp4",
}  # fmt: skip
"""`quant_algo` -> scheme, where another format has the same; the others keep their name in lower case."""


def _first_weights(config: Json) -> Json:
    """Of the first of `config_groups`, which ModelOpt writes into config.json."""
    group = next(iter(section(config, "config_groups").values()), None)
    return section(group, "weights") if isinstance(group, dict) else {}


def kv_cache_dtype(scheme: object) -> str | None:
    """The KV cache's type that scales are stored for; vLLM then takes it where it is asked for 'auto'."""
    if isinstance(scheme, dict):
        width = {8: "fp8", 4: "nvfp4"}.get(positive(scheme, "num_bits") or 0)
        return width if text(scheme, "type") == "float" else None
    return {"FP8": "fp8", "NVFP4": "nvfp4"}.get(scheme.upper()) if isinstance(scheme, str) else None
