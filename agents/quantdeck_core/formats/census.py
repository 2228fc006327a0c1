"""Tensors of all shards, counted: bytes by type, and parameters behind the packing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from quantdeck_core.formats.safetensors_header import Tensor

PACKED = (".qweight", ".weight_packed", "_blocks")
"""Suffixes of packed weights: GPTQ, AWQ and AutoRound; compressed-tensors; gpt-oss' MXFP4."""

_ASIDE = frozenset({
    ".scales", ".qzeros", ".g_idx", ".weight_scale", ".weight_scale_inv", ".weight_scale_2", ".input_scale",
    ".weight_zero_point", ".weight_shape", ".weight_g_idx", ".weight_global_scale", ".input_global_scale", ".absmax",
    ".quant_map", ".nested_absmax", ".nested_quant_map", ".SCB", ".weight_format", ".k_scale", ".v_scale",
    ".q_scale", ".prob_scale", ".input_zero_point", ".output_scale", ".output_zero_point", ".activation_scale",
    ".qscale_weight", ".qscale_act", ".pre_quant_scale",
})  # fmt: skip
"""Last parts of the names of scales, zero points and orders: stored beside weights, no parameters of the model."""

_BYTES = ("U8", "I8")


class Census:
    """Grows file by file, so that no shard's header has to stay in memory.

    Attributes:
        bits: of a packed weight; what is packed into larger integers is counted one by one.
        by_type: dtype -> bytes.
        suffixes: which of `PACKED` occur.
        side_tensors: suffixes of scales, zero points and orders.
    """

    def __init__(self, bits: int | None) -> None:
        self.bits = bits
        self.by_type: Counter[str] = Counter()
        self.parameters = 0
        self.suffixes: set[str] = set()
        self.side_tensors: set[str] = set()

    def add(self, tensors: Mapping[str, Tensor]) -> None:
        """Count the tensors of one file."""
        for name, tensor in tensors.items():
            self.by_type[tensor.dtype] += tensor.size
            if name.endswith(PACKED):
                self.suffixes.add(next(suffix for suffix in PACKED if name.endswith(suffix)))
                self.parameters += self._unpacked(tensor)
            elif (suffix := name[name.rfind(".") :]) in _ASIDE:
                self.side_tensors.add(suffix)
            elif name.endswith("_scales") or ".quant_state." in name:
                self.side_tensors.add("_scales" if name.endswith("_scales") else ".quant_state")
            elif self.bits == 4 and tensor.dtype in _BYTES:
                # bitsandbytes and ModelOpt keep two 4-bit values a byte under the plain name `.weight`.
                self.parameters += tensor.elements * 2
            else:
                self.parameters += tensor.elements

    @property
    def weights_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(self.by_type.values())

    def _unpacked(self, tensor: Tensor) -> int:
        """Packed weights fill their integers, those of 3 bits across the borders."""
        return 8 * tensor.size // self.bits if self.bits else tensor.elements
