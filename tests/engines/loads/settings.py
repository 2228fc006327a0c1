"""How llama.cpp is asked to serve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one load, by llama.cpp's names. `kv_unified` and `flash_attention` None leave them to the engine."""

    n_ctx: int
    n_parallel: int = 1
    n_batch: int = 512
    n_ubatch: int = 512
    type_k: str = "f16"
    type_v: str = "f16"
    kv_unified: bool = False
    swa_full: bool = False
    flash_attention: bool = True
    cache_ram_mib: int = 0
    threads: int = 2
