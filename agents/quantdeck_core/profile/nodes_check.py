"""What the types of `[nodes]` cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.profile.nodes import Nodes
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Resolved

_BACKEND = "--distributed-executor-backend"
Found = tuple[tuple[str, ...], str, str]
"""Keys, what is wrong, and what to do."""


def nodes_problems(profile: Profile, serve: Resolved, nodes: Nodes) -> Iterator[Found]:
    """Why a profile cannot be spread over hosts."""
    if profile.engine != "vllm":
        yield ("nodes",), f"{profile.engine} runs on one host.", _instead(profile)
        return
    gpus = serve.tensor_parallel_size * serve.pipeline_parallel_size
    if gpus < nodes.count or gpus % nodes.count:
        yield (
            ("nodes", "count"),
            f"tensor_parallel_size {serve.tensor_parallel_size} x pipeline_parallel_size {serve.pipeline_parallel_size}"
            f" are {gpus} GPUs: they cannot be divided evenly among {nodes.count} hosts.",
            "Usual is tensor_parallel_size = GPUs of a host and pipeline_parallel_size = hosts.",
        )
    elif serve.gpus and len(serve.gpus) != serve.gpus_per_host:
        yield (
            ("serve", "gpus"),
            f"over {nodes.count} hosts it has {serve.gpus_per_host} GPUs on each, and gpus names {len(serve.gpus)}.",
            "Name those of one host (the same numbers count on each), or leave gpus out.",
        )
    if serve.replicas > 1:
        yield (
            ("serve", "replicas"),
            "a model over several hosts has one replica: each is a cluster of its own.",
            "Deploy it again under another --name, to other hosts.",
        )
    if any(arg.partition("=")[0] == _BACKEND for arg in serve.extra_args):
        yield ("serve", "extra_args"), f"over several hosts {_BACKEND} is ray in any case.", "Leave it out."


def _instead(profile: Profile) -> str:
    if profile.engine == "vllm-cpu":
        return "vLLM has no Ray on CPUs (its CPU platform names no device to Ray). Leave [nodes] out."
    return "Leave [nodes] out; only vLLM on GPUs runs over several hosts."
