"""Which replica gets which GPUs."""

from __future__ import annotations

from quantdeck_core.profile.names import VLLM, EngineKind
from quantdeck_core.profile.serve import Resolved


def group_size(engine: EngineKind, serve: Resolved) -> int:
    """GPUs of one replica. llama.cpp spreads itself over all it sees, so its replicas divide them evenly."""
    if engine in VLLM:
        return serve.gpus_per_replica
    return max(1, len(serve.gpus) // serve.replicas)


def replicas_per_gpu(engine: EngineKind, serve: Resolved) -> int:
    """Replicas that share a GPU, where GPUs are named; 1 where none are."""
    groups = len(serve.gpus) // group_size(engine, serve)
    return -(-serve.replicas // groups) if groups else 1


def visible(engine: EngineKind, serve: Resolved, replica: int) -> dict[str, str]:
    """The variables that show a replica its GPUs; none where the profile names none.

    The order is the bus's: only then are the numbers those of `nvidia-smi`.
    """
    if not serve.gpus:
        return {}
    size = group_size(engine, serve)
    first = replica % (len(serve.gpus) // size) * size
    mine = ",".join(map(str, serve.gpus[first : first + size]))
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": mine}
