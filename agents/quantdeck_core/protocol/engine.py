"""What an agent says about one engine."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.engines.started import Start
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.experiment import TimelineEntry

EngineState = Literal[
    "queued",
    "starting",
    "probing",
    "warming",
    "ready",
    "hung",
    "draining",
    "stopping",
    "stopped",
    "restarting",
    "failed",
]
"""`queued`: another start on its GPU goes first. `hung`: its port answers, it generates nothing and gets no requests.
`restarting`: it ended by itself and is started again after a pause. `failed`: somebody has to act."""


class EngineStatus(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One engine process.

    Attributes:
        name: unique on its host; replacing keeps it and raises `generation`. The second replica of `a` is `a/1`.
        generation: 1 for the first start, one more for each other process that served under this name.
        epoch: generation of the first of the processes that served just this: checkpoint, command, engine version.
        version: of the engine; empty where it could not be told.
        model: the checkpoint's file name; `model_sha256` the first 16 digits of what it holds;
            all of them stand in `EngineDetail.starts`.
        planned_bytes: what the plan expected of its fullest device; `measured_bytes` what it took once ready.
        ready_s: seconds from start to ready, None before.
        tokens_per_s: generated tokens per second over the last seconds, None where unknown.
        gpus: indices of the GPUs that it was given; empty for none.
        kv_usage: share of its KV cache in use, 0 to 1.
        ttft_p95_ms, itl_p95_ms: time to first token and between tokens, over the last minute.
        hosts: where its parts are, the server's first; empty for an engine that one host holds. `part` is the number of
            the part that is here; only the first has a `url` and gets requests.
        note: what is going on beside `state`, e.g. `replacement: warming`.
        error: why it failed, and what to do next.
    """

    name: str
    profile: str
    engine: str
    served_name: str
    state: EngineState
    generation: int
    epoch: int = 0
    version: str = ""
    model: str
    model_sha256: str
    url: str
    pid: int | None = None
    started_at: float | None = None
    ready_s: float | None = None
    rss_bytes: int | None = None
    planned_bytes: int | None = None
    measured_bytes: int | None = None
    gpus: tuple[int, ...] = ()
    running: int | None = None
    waiting: int | None = None
    tokens_per_s: float | None = None
    prompt_tokens_per_s: float | None = None
    kv_usage: float | None = None
    ttft_p95_ms: float | None = None
    itl_p95_ms: float | None = None
    hosts: tuple[str, ...] = ()
    part: int = 0
    note: str = ""
    error: ErrorInfo | None = None


class EngineDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that an agent knows of one engine, also of one that was stopped.

    Attributes:
        profile: what is wanted; None where nothing is.
        replicas: as they are now.
        starts: the last ones, oldest first: checkpoint, command line, engine version.
        timeline: its newest lines, oldest first.
    """

    name: str
    profile: Profile | None
    replicas: tuple[EngineStatus, ...]
    starts: tuple[Start, ...]
    timeline: tuple[TimelineEntry, ...]
