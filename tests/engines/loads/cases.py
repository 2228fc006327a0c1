"""The loads: models of at least 1 GiB, and how each is served."""

from __future__ import annotations

from typing import NamedTuple

from engines.loads.models import Model
from engines.loads.settings import Settings


class Load(NamedTuple):
    """One load. `prompt` is the number of tokens that it reads before it is measured a second time."""

    name: str
    model: Model
    settings: Settings
    prompt: int = 520


MHA = Model(name="llama-mha-f16", layers=10, hidden=2048, heads=16, kv_heads=16, head_dim=128, feed_forward=5632,
            vocab=32_000)  # fmt: skip
GQA_Q8 = Model(name="llama-gqa-q8_0", layers=4, hidden=4096, heads=32, kv_heads=8, head_dim=128, feed_forward=14_336,
               vocab=128_256, matrices="Q8_0", embedding="Q8_0")  # fmt: skip
GQA_Q4 = Model(name="llama-gqa-q4_k", layers=16, hidden=3072, heads=24, kv_heads=8, head_dim=128, feed_forward=8192,
               vocab=128_256, matrices="Q4_K", embedding="Q6_K", tied=True)  # fmt: skip
MQA = Model(name="llama-mqa-f16", layers=3, hidden=4096, heads=16, kv_heads=1, head_dim=256, feed_forward=14_336,
            vocab=512)  # fmt: skip
GEMMA2 = Model(name="gemma2-f16", arch="gemma2", layers=8, hidden=2304, heads=8, kv_heads=4, head_dim=256,
               feed_forward=9216, vocab=64_000, tied=True, window=4096, pattern=2)  # fmt: skip
GEMMA3 = Model(name="gemma3-q8_0", arch="gemma3", layers=12, hidden=2560, heads=8, kv_heads=4, head_dim=256,
               feed_forward=10_240, vocab=128_000, matrices="Q8_0", embedding="Q8_0", tied=True, window=1024,
               pattern=6)  # fmt: skip
PHI3 = Model(name="ignored-window-f16", arch="phi3", layers=6, hidden=3072, heads=32, kv_heads=32, head_dim=96,
             feed_forward=8192, vocab=32_064, window=2047)  # fmt: skip
QWEN2 = Model(name="qwen2-q8_0", arch="qwen2", layers=3, hidden=3584, heads=28, kv_heads=4, head_dim=128,
              feed_forward=18_944, vocab=128_000, matrices="Q8_0", embedding="Q8_0")  # fmt: skip
QWEN3_MOE = Model(name="qwen3moe-q4_k", arch="qwen3moe", layers=4, hidden=2048, heads=32, kv_heads=4, head_dim=128,
                  feed_forward=768, vocab=32_000, matrices="Q4_K", embedding="Q4_K", experts=128,
                  experts_used=8)  # fmt: skip
MIXTRAL = Model(name="mixtral-f16", layers=4, hidden=2048, heads=16, kv_heads=4, head_dim=128, feed_forward=3584,
                vocab=32_000, experts=8, experts_used=2)  # fmt: skip
DEEPSEEK2 = Model(name="deepseek2-q8_0", arch="deepseek2", layers=26, hidden=2048, heads=16, kv_heads=1, head_dim=192,
                  feed_forward=5632, vocab=32_000, matrices="Q8_0", embedding="Q8_0", kv_rank=512,
                  rope=64)  # fmt: skip

_Q8 = {"type_k": "q8_0", "type_v": "q8_0"}
LOADS = (
    Load("MHA", MHA, Settings(n_ctx=4096), prompt=4000),
    Load("MHA, q8_0 cache, 4 slots", MHA, Settings(n_ctx=16_384, n_parallel=4, **_Q8)),
    Load("MHA, no flash attention", MHA, Settings(n_ctx=2048, flash_attention=False), prompt=2040),
    Load("GQA", GQA_Q8, Settings(n_ctx=8192)),
    Load("GQA, q8_0 cache, 4 slots", GQA_Q8, Settings(n_ctx=32_768, n_parallel=4, **_Q8)),
    Load("GQA, batch of 2048", GQA_Q8, Settings(n_ctx=8192, n_batch=2048, n_ubatch=2048), prompt=2060),
    Load("GQA, repacked weights, 2 slots", GQA_Q4, Settings(n_ctx=8192, n_parallel=2)),
    Load("GQA, repacked weights, unified cache", GQA_Q4, Settings(n_ctx=16_384, n_parallel=4, kv_unified=True)),
    Load("MQA", MQA, Settings(n_ctx=8192)),
    Load("MQA, q8_0 keys, 64k tokens", MQA, Settings(n_ctx=65_536, n_parallel=2, type_k="q8_0")),
    Load("sliding window, every 2nd layer", GEMMA2, Settings(n_ctx=16_384)),
    Load("sliding window, 5 of 6 layers, 2 slots", GEMMA3, Settings(n_ctx=32_768, n_parallel=2)),
    Load("sliding window, q8_0, unified cache", GEMMA3, Settings(n_ctx=16_384, n_parallel=4, kv_unified=True, **_Q8)),
    Load("sliding window, swa-full", GEMMA3, Settings(n_ctx=8192, n_parallel=2, swa_full=True)),
    Load("window that llama.cpp ignores", PHI3, Settings(n_ctx=4096)),
    Load("GQA, biases, 8 slots", QWEN2, Settings(n_ctx=8192, n_parallel=8)),
    Load("128 experts, repacked weights", QWEN3_MOE, Settings(n_ctx=8192, n_parallel=2)),
    Load("8 experts", MIXTRAL, Settings(n_ctx=8192)),
    Load("MLA, 2 slots", DEEPSEEK2, Settings(n_ctx=16_384, n_parallel=2)),
)
