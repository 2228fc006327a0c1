"""The name of a GGUF's quantization, from what its tensors are.

The mixes are those of llama.cpp's `llama_tensor_get_type` (`src/llama-quant.cpp`): the letter after `_K` says which
matrices got more bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quantdeck_core.formats.gguf_header import GgufTensor
from quantdeck_core.formats.gguf_types import FILE_TYPES, TensorType

_OUTSIDE_BLOCKS = ("token_embd.", "output.", "per_layer_token_embd.", "rope_")
"""Tensors that every mix treats apart."""


def dominant_type(tensors: Iterable[GgufTensor]) -> TensorType | None:
    """The type of most elements of the matrices; of all tensors where there are no matrices."""
    counts: Counter[TensorType] = Counter()
    rest: Counter[TensorType] = Counter()
    for tensor in tensors:
        outside = len(tensor.shape) < 2 or tensor.name.startswith(_OUTSIDE_BLOCKS)
        (rest if outside else counts)[tensor.kind] += tensor.elements
    ranked = (counts or rest).most_common(1)
    return ranked[0][0] if ranked else None


def quantization_name(tensors: Iterable[GgufTensor], file_type: object) -> str | None:
    """E.g. ``Q4_K_M``.

    Args:
        file_type: `general.file_type`; decides only among mixes of which most tensors have the same type.
    """
    tensors = tuple(tensors)
    kind = dominant_type(tensors)
    if kind is None:
        return None
    blocks = [t for t in tensors if len(t.shape) >= 2 and not t.name.startswith(_OUTSIDE_BLOCKS)]
    if kind.name in _K_MIXES:
        return _k_mix(kind.name, blocks)
    said = FILE_TYPES.get(file_type, "") if isinstance(file_type, int) else ""
    return said if kind.name in _SAME_TYPES.get(said, ()) else _other_mix(kind.name, blocks)


def contradicts(name: str, file_type: object) -> str | None:
    """The summary's name where it names another type than most matrices have; None where it agrees or says nothing."""
    said = FILE_TYPES.get(file_type) if isinstance(file_type, int) else None
    if said is None or said == name or name in _SAME_TYPES.get(said, ()):
        return None
    if said == "MXFP4_MOE" and name == "Q8_0":
        return None  # so llama-quantize makes it of a model without experts
    base = {"MXFP4_MOE": "MXFP4"}.get(said, said)
    family = base[:4] if base[:4] in _K_MIXES else base
    # Small models, and mixtures of experts, may tip the majority to the next letter of the same family.
    return None if name.startswith(family) else said


_K_MIXES = ("Q2_K", "Q3_K", "Q4_K", "Q5_K")

_SAME_TYPES = {
    "IQ2_S": ("IQ2_XS",),
    "IQ2_M": ("IQ2_S",),
    "IQ3_XS": ("IQ3_S", "IQ3_XXS"),
    "IQ3_M": ("IQ3_S",),
    "MXFP4_MOE": ("MXFP4",),
}
"""File types whose name is not that of the type of most of their tensors."""


def _k_mix(base: str, blocks: list[GgufTensor]) -> str:
    others = {t.kind.name for t in blocks if t.kind.name != base and t.kind.bits < 16}
    if base == "Q2_K":
        return "Q2_K" if "Q3_K" in others else "Q2_K_S"
    if base == "Q3_K":
        # Of eight experts' models every mix has more bits in the attention: the feed-forward tells.
        down = _down(blocks)
        if down and down.most_common(1)[0][0] == "Q5_K":
            return "Q3_K_L"
        return "Q3_K_M" if (set(down) or others) & {"Q4_K", "Q5_K"} else "Q3_K_S"
    return f"{base}_M" if "Q6_K" in others else f"{base}_S"


def _other_mix(base: str, blocks: list[GgufTensor]) -> str:
    """Mixes of the i-quants and of MXFP4, as llama-quantize makes them."""
    down = _down(blocks)
    up = {t.kind.name for t in blocks if "ffn_up" in t.name or "ffn_gate" in t.name}
    match base:
        case "IQ2_S":
            return "IQ2_M"
        case "IQ2_XS":
            return "IQ2_S" if any(t.kind.name == "IQ3_S" for t in blocks) else base
        case "IQ3_S" | "IQ3_XXS" if "IQ3_XXS" in up and "IQ3_S" in down:
            return "IQ3_XS"
        case "IQ3_S" if "Q4_K" in down or any(t.kind.name == "Q4_K" for t in blocks if "attn_output" in t.name):
            return "IQ3_M"
        case "MXFP4" if any("_exps" in t.name for t in blocks):
            return "MXFP4_MOE"
    return base


def _down(blocks: list[GgufTensor]) -> Counter[str]:
    return Counter(t.kind.name for t in blocks if "ffn_down" in t.name)
