"""What llama.cpp's server takes of RAM on a CPU, part by part."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.formats.checkpoint import ModelShape
from quantdeck_core.memory.kv import KvType
from quantdeck_core.memory.llamacpp_compute import compute_buffer_bytes, output_buffer_bytes, work_buffer_bytes
from quantdeck_core.memory.llamacpp_kv import CHECKPOINTS, LlamacppContext, kv_cache

PROCESS_BYTES = 30 << 20
"""Python, the library and threads, as measured with xllamacpp 2026.10 (docs/memory-loads.md); 20 MiB of it are code."""
TOKEN_BYTES = 200
"""Of one token of the vocabulary: its text, twice, and the tables that find it. Fitted, short texts."""


class LlamacppMemory(NamedTuple):
    """Bytes.

    Attributes:
        process: what is in no line of the log.
        checkpoints: not in the total: what copies of sliding-window caches may grow to with long conversations. A
            server keeps 32 for each slot by default.
    """

    weights: int
    kv: int
    compute: int
    output: int
    process: int
    checkpoints: int

    @property
    def total(self) -> int:
        """Resident memory once a full batch was processed; it includes pages of the mapped file."""
        return self.weights + self.kv + self.compute + self.output + self.process


def memory_on_cpu(
    shape: ModelShape,
    weights: int,
    context: LlamacppContext,
    keys: KvType,
    values: KvType,
    *,
    flash_attention: bool = True,
    swa_full: bool = False,
) -> LlamacppMemory:
    """All of it. The server's prompt cache (`--cache-ram`) comes on top, up to what was set.

    Args:
        weights: bytes in RAM, as `formats.gguf_repack` counts them.

    Raises:
        ShapeUnknownError: the checkpoint does not give layers, heads or their size.
    """
    kv = kv_cache(shape, context, keys, values, swa_full=swa_full)
    vocabulary = (shape.vocab_size or 0) * TOKEN_BYTES
    return LlamacppMemory(
        weights=weights,
        kv=kv.total,
        compute=compute_buffer_bytes(shape, context, flash_attention=flash_attention, swa_full=swa_full),
        output=output_buffer_bytes(shape, context),
        process=PROCESS_BYTES + vocabulary + work_buffer_bytes(shape, context, flash_attention=flash_attention),
        checkpoints=kv.checkpoint * CHECKPOINTS * context.sequences,
    )
