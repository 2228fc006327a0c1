"""The scheme of a compressed-tensors checkpoint, from `config_groups`.

Source: vllm-project/compressed-tensors, `quantization/quant_args.py` and `quant_scheme.py`.
"""

from __future__ import annotations

from quantdeck_core.formats.fields import Json, flag, integer, positive, section, text
from quantdeck_core.formats.modelopt import kv_cache_dtype
from quantdeck_core.formats.quantization import Quantization


def read_compressed_tensors(config: Json) -> Quantization:
    """What the first group of layers is stored as; further groups are counted in the label.

    Raises:
        ConfigError: a number is none.
    """
    groups = [group for group in section(config, "config_groups").values() if isinstance(group, dict)]
    weights = section(groups[0], "weights") if groups else {}
    activations = section(groups[0], "input_activations") if groups else {}
    bits, group_size = positive(weights, "num_bits"), integer(weights, "group_size")
    scheme, label = _scheme(weights, activations)
    words = [label]
    if group_size and group_size > 0 and scheme not in ("nvfp4", "mxfp4", "mxfp8"):
        words.append(f"group {group_size}")
    actorder = weights.get("actorder")
    if actorder is True:
        actorder = "group"
    if isinstance(actorder, str):
        words.append(f"actorder {actorder}")
    if len(groups) > 1:
        words.append(f"{len(groups)} config groups")
    if text(config, "format") == "marlin-24" or text(section(config, "sparsity_config"), "sparsity_structure") == "2:4":
        words.append("2:4 sparse")
    return Quantization(
        format="compressed-tensors",
        label="compressed-tensors " + ", ".join(words),
        scheme=scheme,
        bits=bits,
        group_size=group_size,
        sym=flag(weights, "symmetric"),
        actorder=text({"actorder": actorder}, "actorder"),
        packing=text(config, "format"),
        strategy=text(weights, "strategy"),
        config_groups=len(groups),
        kv_cache_dtype=kv_cache_dtype(config.get("kv_cache_scheme")),
    )


def _scheme(weights: Json, activations: Json) -> tuple[str, str]:
    """Name for the rules, and for people."""
    bits, activation_bits = positive(weights, "num_bits"), positive(activations, "num_bits")
    micro = integer(weights, "group_size") == 32  # the OCP microscaling formats share a scale among 32
    if bits is None:
        return "mixed", "of a kind that its configuration does not say"
    if text(weights, "type") == "float":
        if bits == 4 or micro:
            kind = f"{'mx' if micro else 'nv'}fp{bits}"
            return kind, kind.upper() + ("" if activation_bits else " weight-only")
        return ("fp8", "FP8 W8A8") if activation_bits else ("fp8-weight-only", "FP8 weight-only")
    if activation_bits:
        kind = "fp8" if text(activations, "type") == "float" else f"int{activation_bits}"
        return f"w{bits}a{activation_bits}-{kind}", f"W{bits}A{activation_bits} {kind.upper()}"
    return f"w{bits}a16", f"W{bits}A16"
