"""Measured loads for tests."""

from __future__ import annotations

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.identity import model_digest
from quantdeck_core.memory.load import Load, Observed
from quantdeck_core.memory.serving import Need, Serving

CHECKPOINT = Checkpoint(
    format="safetensors", label="BF16", bits=16, layers=32, hidden_size=4096, intermediate_size=11_008, heads=32,
    kv_heads=8, head_dim=128, vocab_size=32_000, parameters=6_700_000_000, weights_bytes=13_400_000_000,
)  # fmt: skip
SERVING = Serving(engine="llama-server", max_model_len=4096, max_num_seqs=4, all_full=True)


def load(**more: object) -> Load:
    """A load of `CHECKPOINT` as `SERVING` says, with these differences; `total`, `weights` and `kv` are measured."""
    measured = Observed(**{name: more.pop(name) for name in ("total", "weights", "kv") if name in more})  # type: ignore[arg-type]
    usual: dict[str, object] = {
        "t": 100.0,
        "host": "h",
        "engine_version": "b1",
        "model": model_digest(CHECKPOINT),
        "title": "model",
        "device": "cpu",
        "kind": "cpu",
        "serving": SERVING,
        "sequences": 4,
        "planned": Need(10, 20, 30),
        "measured": measured,
        "sources": ("rss",),
    }
    return Load(**{**usual, **more})  # type: ignore[arg-type]
