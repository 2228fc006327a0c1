"""llama.cpp's weights in RAM: the mapped file, and copies of it in another order.

On a CPU without a GPU beside it, llama.cpp writes matrices of some types a second time, interleaved for its kernels
(`CPU_REPACK` in its log). The mapped original stays: resident memory nearly doubles, though the kernel can drop the
original's pages when it needs them. Without mapping (`--no-mmap`) there is no original.

Source: llama.cpp of 1 October 2026, `ggml/src/ggml-cpu/repack.cpp` (`ggml_repack_get_optimal_repack_type`),
`src/llama-model.cpp` (`make_cpu_buft_list`), `src/llama-model-loader.cpp` (what is mapped). x86 was run, Arm only read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quantdeck_core.formats.gguf_header import GgufTensor

_OTHER_OPERATIONS = ("token_embd", "per_layer_token_embd", "position_embd", "token_types", "altup_", "ffn_gate_tid2eid")
"""Beginnings of the names of matrices that are looked up in, not multiplied with: they stay as they are."""
_MATRIX = 2


class Cpu(NamedTuple):
    """What a CPU repacks: type of tensor -> what its number of rows must be divisible by."""

    name: str
    rows: dict[str, int]


AVX2 = Cpu("avx2", {"Q4_0": 8, "Q4_K": 8, "IQ4_NL": 8, "MXFP4": 8})
NEON_DOTPROD = Cpu("neon-dotprod", {"Q4_0": 4, "Q4_K": 8, "Q5_K": 8, "Q6_K": 8, "IQ4_NL": 4, "MXFP4": 4, "Q8_0": 4})


CPUS = (AVX2, NEON_DOTPROD)


class LlamacppWeights(NamedTuple):
    """Bytes in RAM.

    Attributes:
        mapped: from the first to the last tensor of the file that is used in place.
        repacked: copies in another order.
    """

    mapped: int
    repacked: int

    @property
    def total(self) -> int:
        """What is resident once all of it was used."""
        return self.mapped + self.repacked


def weights_on_cpu(tensors: Sequence[GgufTensor], cpu: Cpu = AVX2) -> LlamacppWeights:
    """Weights of one file that is served without a GPU.

    Args:
        tensors: of the header, in any order.
    """
    matrices = [tensor for tensor in tensors if _repacked(tensor, cpu)]
    copied = {tensor.name for tensor in matrices}
    repacked = sum(tensor.size for tensor in matrices)
    embedding = next((tensor for tensor in tensors if tensor.name == "token_embd.weight"), None)
    if embedding and not any(tensor.name == "output.weight" for tensor in tensors) and _interleaves(embedding, cpu):
        # The embedding is the output matrix too: as such it is multiplied with.
        repacked += embedding.size
    return LlamacppWeights(_span(tensor for tensor in tensors if tensor.name not in copied), repacked)


def _repacked(tensor: GgufTensor, cpu: Cpu) -> bool:
    return not tensor.name.startswith(_OTHER_OPERATIONS) and _interleaves(tensor, cpu)


def _interleaves(tensor: GgufTensor, cpu: Cpu) -> bool:
    rows = cpu.rows.get(tensor.kind.name)
    return rows is not None and len(tensor.shape) >= _MATRIX and tensor.shape[1] % rows == 0


def _span(tensors: Iterable[GgufTensor]) -> int:
    ends = [(tensor.offset, tensor.offset + tensor.size) for tensor in tensors]
    return max(end for _, end in ends) - min(begin for begin, _ in ends) if ends else 0
