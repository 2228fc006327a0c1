"""What the fields of `[serve]` are where a profile leaves them out: by engine, and by the model's size.

The figures for vLLM on a GPU are the lesson's: `gpu_memory_utilization` 0.90 for quantized models, 256 sequences and
8192 tokens a step, half of both for a 70B. Those for vLLM on a CPU are what its own server takes there. Those for
llama.cpp are the lesson's context and batch, with four slots; more would be memory that an edge board does not have.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from quantdeck_core.profile.names import EngineKind
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Resolved, Serve


class Sized(NamedTuple):
    """Defaults that replace others from a number of parameters on."""

    parameters: int
    serve: Serve


class Defaults(NamedTuple):
    """Defaults of one engine; of `sized`, the last one that the model reaches counts."""

    serve: Resolved
    sized: tuple[Sized, ...] = ()


_VLLM = Resolved(
    max_model_len=4096,
    max_num_seqs=256,
    max_tokens=2048,
    max_num_batched_tokens=8192,
    gpu_memory_utilization=0.90,
    enforce_eager=False,
    dtype="auto",
    kv_cache_dtype="auto",
    trust_remote_code=False,
    enable_prefix_caching=True,
    shutdown_timeout=30,
)
_LLAMACPP = Resolved(
    max_model_len=4096,
    max_num_seqs=4,
    max_tokens=2048,
    threads=4,
    batch_size=512,
    ubatch_size=512,
    n_gpu_layers=0,
    flash_attn="auto",
    cache_ram_mib=512,
    kv_cache_dtype="f16",
)
_replace = msgspec.structs.replace

DEFAULTS: dict[EngineKind, Defaults] = {
    "vllm": Defaults(_VLLM, (Sized(60_000_000_000, Serve(max_num_seqs=128, max_num_batched_tokens=4096)),)),
    "vllm-cpu": Defaults(
        _replace(_VLLM, max_num_seqs=128, max_num_batched_tokens=2048, gpu_memory_utilization=None, kv_cache_gib=4)
    ),
    "llama-server": Defaults(_LLAMACPP),
    # One thread: the demo runs several engines on two cores.
    "xllamacpp": Defaults(_replace(_LLAMACPP, threads=1)),
    # Its server has one sequence behind a lock, no bound on an answer and no `auto` for flash attention.
    "llama-cpp-python": Defaults(
        _replace(_LLAMACPP, max_num_seqs=1, max_tokens=None, cache_ram_mib=None, flash_attn="on")
    ),
    "external": Defaults(Resolved(max_model_len=4096, max_num_seqs=1)),
}


def resolved(profile: Profile, parameters: int | None) -> Resolved:
    """What a profile asks for, with every default filled in.

    Args:
        parameters: of the model; None where they are not known, then it is not a large one.
    """
    defaults = DEFAULTS[profile.engine]
    fitting = [one.serve for one in defaults.sized if parameters is not None and parameters >= one.parameters]
    filled = _over(defaults.serve, fitting[-1]) if fitting else defaults.serve
    serve = _over(filled, profile.serve)
    if profile.nodes is not None:
        serve = _replace(serve, nodes=profile.nodes.count)
    if serve.ubatch_size is None or serve.batch_size is None:
        return serve
    # llama.cpp computes no more at once than it takes from the queue (src/llama-context.cpp).
    return _replace(serve, ubatch_size=min(serve.ubatch_size, serve.batch_size))


def _over(base: Resolved, above: Serve) -> Resolved:
    """`base`, with what `above` says in its place."""
    said = {name: value for name in Serve.__struct_fields__ if (value := getattr(above, name)) not in (None, (), {})}
    return _replace(base, **said)
