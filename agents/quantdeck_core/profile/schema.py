"""The schema of a profile and of an experiment file."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.drift.thresholds import Thresholds

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="lower case, digits, . _ -")]
"""Also part of paths and of log files' names: no slash, no leading dot."""
NameOrNone = Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9._-]{0,62})?$")]
Positive = Annotated[int, Meta(ge=1)]
EngineKind = Literal["xllamacpp"]


class Serve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the engine serves the model.

    Attributes:
        max_model_len: context of one sequence, tokens, prompt and answer together.
        max_num_seqs: sequences served at once (llama.cpp: slots).
        max_tokens: bound on an answer, tokens, whatever a client asks for. llama.cpp would otherwise go on for ever.
        threads: CPU threads. Spinning threads of two engines on the same cores stop each other, so 1 by default.
        batch_size: prompt tokens processed at once.
        cache_ram_mib: MiB of host memory for prompts kept from earlier requests, 0 for none. llama.cpp's own default is
            8 GiB, which grows for hours before it ends an edge board.
        n_gpu_layers: layers put on a GPU, -1 for all.
        port: fixed port, 0 for any free one.
    """

    max_model_len: Positive = 4096
    max_num_seqs: Annotated[int, Meta(ge=1, le=1024)] = 4
    max_tokens: Positive = 2048
    threads: Positive = 1
    batch_size: Positive = 512
    cache_ram_mib: Annotated[int, Meta(ge=0)] = 512
    n_gpu_layers: Annotated[int, Meta(ge=-1)] = 0
    port: Annotated[int, Meta(ge=0, le=65535)] = 0


class Warmup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests sent before users are: the first ones of a fresh engine are slow.

    Attributes:
        deadline_s: seconds from start until the engine must be ready.
    """

    prompts: Annotated[int, Meta(ge=0, le=100)] = 3
    deadline_s: Annotated[float, Meta(gt=0, le=86_400)] = 120.0


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to serve one checkpoint.

    Attributes:
        model: path below the agent's model root.
        served_name: the model name that clients send; the same on both arms, so that bodies need no rewriting.
    """

    name: Name
    model: Annotated[str, Meta(min_length=1)]
    served_name: Annotated[str, Meta(min_length=1, max_length=200)] = "assistant"
    engine: EngineKind = "xllamacpp"
    description: str = ""
    serve: Serve = msgspec.field(default_factory=Serve)
    warmup: Warmup = msgspec.field(default_factory=Warmup)


class ExperimentArm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm of an experiment file: the name of a running engine on the gateway's host."""

    engine: Name


class ExperimentFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An experiment as a person writes it.

    Attributes:
        gateway: the host whose gateway splits the users.
    """

    name: Name
    gateway: str
    control: ExperimentArm
    treatment: ExperimentArm
    rollback: Thresholds = msgspec.field(default_factory=Thresholds)
