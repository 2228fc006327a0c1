"""What an agent says about one engine."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.errors import ErrorInfo

EngineState = Literal["starting", "probing", "warming", "ready", "draining", "stopping", "stopped", "failed"]


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One engine process.

    Attributes:
        name: unique on its host; replacing keeps it and raises `generation`.
        generation: 1 for the first start, one more for each other process that served under this name.
        model: the checkpoint's file name; `model_sha256` its content, so that a timeline can tell two apart.
        ready_s: seconds from start to ready, None before.
        tokens_per_s: generated tokens per second over the last seconds, None where unknown.
        note: what is going on beside `state`, e.g. `replacement: warming`.
        error: why it failed, and what to do next.
    """

    name: str
    profile: str
    engine: str
    served_name: str
    state: EngineState
    generation: int
    model: str
    model_sha256: str
    url: str
    pid: int | None = None
    started_at: float | None = None
    ready_s: float | None = None
    rss_bytes: int | None = None
    running: int | None = None
    waiting: int | None = None
    tokens_per_s: float | None = None
    prompt_tokens_per_s: float | None = None
    note: str = ""
    error: ErrorInfo | None = None
