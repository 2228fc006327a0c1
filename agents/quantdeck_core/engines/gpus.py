"""Which replica gets which GPUs."""

from __future__ import annotations

from quantdeck_core.profile.names import VLLM, EngineKind
from quantdeck_core.profile.serve import Resolved


def group_size(engine: EngineKind, serve: Resolved) -> int:
    """GPUs of one replica on a host. llama.cpp spreads itself over all it sees, so its replicas divide them evenly."""
    if engine in VLLM:
        return serve.gpus_per_host
    return max(1, len(serve.gpus) // serve.replicas)


def replicas_per_gpu(engine: EngineKind, serve: Resolved) -> int:
    """Replicas that share a GPU, where GPUs are named; 1 where none are."""
    groups = len(serve.gpus) // group_size(engine, serve)
    return -(-serve.replicas // groups) if groups else 1


def named(engine: EngineKind, serve: Resolved, replica: int) -> tuple[int, ...]:
    """GPUs that the profile names for a replica; none where it names none."""
    if not serve.gpus:
        return ()
    size = group_size(engine, serve)
    first = replica % (len(serve.gpus) // size) * size
    return serve.gpus[first : first + size]


def occupied(engine: EngineKind, serve: Resolved, replica: int, present: tuple[int, ...]) -> tuple[int, ...]:
    """GPUs that a replica will be on: those that are named, else those that the engine takes by itself.

    Args:
        present: numbers of the host's GPUs.
    """
    if not present or engine in ("vllm-cpu", "external"):
        return ()
    if mine := named(engine, serve, replica):
        return mine
    if engine == "vllm":
        return present[: group_size(engine, serve)]
    return present if serve.n_gpu_layers else ()


def visible(engine: EngineKind, serve: Resolved, replica: int) -> dict[str, str]:
    """The variables that show a replica its GPUs; none where the profile names none.

    The order is the bus's: only then are the numbers those of `nvidia-smi`.
    """
    mine = ",".join(map(str, named(engine, serve, replica)))
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": mine} if mine else {}
