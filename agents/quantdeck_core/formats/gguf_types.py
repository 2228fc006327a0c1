"""Tensor types and file types of GGUF.

Source: llama.cpp `ggml/include/ggml.h`, `ggml/src/ggml-common.h` (block layouts) and `include/llama.h` (file types). A
test holds both tables against the PyPI package `gguf`, which does not know Q2_0 yet.
"""

from __future__ import annotations

from typing import NamedTuple


class TensorType(NamedTuple):
    """How one type is stored: `block` elements take `size` bytes; `bits` is the nominal width of a weight."""

    name: str
    block: int
    size: int
    bits: int


TENSOR_TYPES = {
    0: TensorType("F32", 1, 4, 32),
    1: TensorType("F16", 1, 2, 16),
    2: TensorType("Q4_0", 32, 18, 4),
    3: TensorType("Q4_1", 32, 20, 4),
    6: TensorType("Q5_0", 32, 22, 5),
    7: TensorType("Q5_1", 32, 24, 5),
    8: TensorType("Q8_0", 32, 34, 8),
    9: TensorType("Q8_1", 32, 40, 8),
    10: TensorType("Q2_K", 256, 84, 2),
    11: TensorType("Q3_K", 256, 110, 3),
    12: TensorType("Q4_K", 256, 144, 4),
    13: TensorType("Q5_K", 256, 176, 5),
    14: TensorType("Q6_K", 256, 210, 6),
    15: TensorType("Q8_K", 256, 292, 8),
    16: TensorType("IQ2_XXS", 256, 66, 2),
    17: TensorType("IQ2_XS", 256, 74, 2),
    18: TensorType("IQ3_XXS", 256, 98, 3),
    19: TensorType("IQ1_S", 256, 50, 1),
    20: TensorType("IQ4_NL", 32, 18, 4),
    21: TensorType("IQ3_S", 256, 110, 3),
    22: TensorType("IQ2_S", 256, 82, 2),
    23: TensorType("IQ4_XS", 256, 136, 4),
    24: TensorType("I8", 1, 1, 8),
    25: TensorType("I16", 1, 2, 16),
    26: TensorType("I32", 1, 4, 32),
    27: TensorType("I64", 1, 8, 64),
    28: TensorType("F64", 1, 8, 64),
    29: TensorType("IQ1_M", 256, 56, 1),
    30: TensorType("BF16", 1, 2, 16),
    34: TensorType("TQ1_0", 256, 54, 2),
    35: TensorType("TQ2_0", 256, 66, 2),
    39: TensorType("MXFP4", 32, 17, 4),
    40: TensorType("NVFP4", 64, 36, 4),
    41: TensorType("Q1_0", 128, 18, 1),
    42: TensorType("Q2_0", 64, 18, 2),
}
"""ggml's number -> type. 4, 5, 31 to 33 and 36 to 38 were removed from ggml."""

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4",
    40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
"""`general.file_type` -> llama-quantize's name of the mix. A summary by whoever wrote the file, not a fact about it."""
