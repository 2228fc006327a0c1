"""How many instances there is room for."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import UTILIZATION_LIMIT, Need, Serving


class Replicas(NamedTuple):
    """Instances: by nominal memory and weights alone; on one GPU or group of GPUs; on all of them."""

    by_weights: int | None
    per_group: int
    in_all: int


def instance_room(site: Site, serving: Serving, room: int) -> int:
    """What one of `serving.replicas` may have of each of its devices, where they share them evenly.

    Args:
        room: of an engine alone there (`room_bytes`).
    """
    groups = max(1, site.amount // serving.gpus_per_host)
    beside_each_other = -(-serving.replicas // groups)
    return min(room, _whole(serving, room) // beside_each_other)


def replicas(site: Site, serving: Serving, need: Need, room: int) -> Replicas:
    """How many instances of this need there is room for.

    An engine that books less than the usual share books it in any case; one that books all of it is taken to be given
    less where others are to stand beside it.

    Args:
        room: as for `instance_room`.
    """
    books_less = serving.engine == "vllm" and serving.gpu_memory_utilization < UTILIZATION_LIMIT
    each = max(room, need.most) if books_less else need.most
    groups = site.amount // serving.gpus_per_host
    a_group = _whole(serving, room) // each if groups and each and need.most <= room else 0
    if need.host and site.ram_bytes is not None:
        a_group = min(a_group, site.ram_bytes // need.host)
    nominal = site.device.nominal_bytes
    return Replicas(nominal // need.weights if nominal and need.weights else None, a_group, a_group * groups)


def _whole(serving: Serving, room: int) -> int:
    """What all engines of one device may have together."""
    if serving.engine == "vllm" and serving.gpu_memory_utilization < UTILIZATION_LIMIT:
        return int(room / serving.gpu_memory_utilization * UTILIZATION_LIMIT)
    return room
