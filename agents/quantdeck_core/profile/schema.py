"""The schema of a profile."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.profile.names import EngineKind, Name
from quantdeck_core.profile.nodes import Nodes
from quantdeck_core.profile.serve import Serve

ModelPath = Annotated[str, Meta(pattern=r"^[^-\x00-\x1f\x7f][^\x00-\x1f\x7f]*$", max_length=4096)]
"""It becomes an argument of a command: no leading dash, no control characters."""
ServedName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$")]
"""Likewise; llama.cpp takes a comma for the end of a name."""
Executable = Annotated[str, Meta(pattern=r"^(/[^\x00-\x1f\x7f]+)?$", max_length=4096)]
"""An absolute path: what a bare name means would depend on the agent's environment."""


class Warmup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests sent before users are: the first ones of a fresh engine are slow.

    Attributes:
        deadline_s: seconds from start until the engine must be ready.
    """

    prompts: Annotated[int, Meta(ge=0, le=100)] = 3
    deadline_s: Annotated[float, Meta(gt=0, le=86_400)] = 120.0


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a host fetches the checkpoint from, where it is not below its model root yet.

    Attributes:
        origin: a URL, or ``hf:ORG/REPO@REVISION``.
        sha256: of a URL's file; it is not taken without.
        include: patterns of a repository's files; all where there are none.
    """

    origin: Annotated[str, Meta(min_length=1, max_length=2000)]
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    include: Annotated[tuple[Annotated[str, Meta(max_length=200)], ...], Meta(max_length=50)] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to serve one checkpoint.

    Attributes:
        model: path below the agent's model root. For an external engine: what it serves, for people.
        served_name: the model name that clients send; the same on both arms, so that bodies need no rewriting.
        executable: which of the host's engines to start, e.g. ``/opt/vllm-0.33/bin/vllm``; for llama-cpp-python the
            interpreter that has it. Empty for the one on the agent's path.
        development: not for users; reasons belong in the description.
        source: where the checkpoint comes from, for hosts that do not have it.
        url: of an external engine, e.g. ``http://10.0.0.7:8000`` or ``https://host/base``.
        upstream_model: by which an external engine knows the model, where that is not `served_name`.
        keep_flagged: prompts whose answers loop, refuse or are garbled may be held in memory for an hour, so that an
            incident can ask them again. Where both arms of an experiment allow it.
        nodes: for a model larger than one host; None for one that a host holds.
    """

    name: Name
    model: ModelPath
    served_name: ServedName = "assistant"
    engine: EngineKind = "xllamacpp"
    executable: Executable = ""
    description: str = ""
    development: bool = False
    source: Source | None = None
    url: str = ""
    upstream_model: Annotated[str, Meta(max_length=200)] = ""
    serve: Serve = msgspec.field(default_factory=Serve)
    warmup: Warmup = msgspec.field(default_factory=Warmup)
    keep_flagged: bool = False
    nodes: Nodes | None = None
