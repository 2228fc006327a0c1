"""How many instances there is room for."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Need, Serving


class Replicas(NamedTuple):
    """Instances: by nominal memory and weights alone; on one GPU or group of GPUs; on all of them."""

    by_weights: int | None
    per_group: int
    in_all: int


def fits(site: Site, serving: Serving, need: Need, room: int) -> bool:
    """Whether one instance does: on each of its devices, and what it keeps in RAM besides."""
    return (
        site.amount >= serving.gpus and need.total <= room and (site.ram_bytes is None or need.host <= site.ram_bytes)
    )


def replicas(site: Site, serving: Serving, need: Need, room: int) -> Replicas:
    """How many instances of this need there is room for."""
    groups = site.amount // serving.gpus
    a_group = room // need.total if groups and need.total else 0
    if need.host and site.ram_bytes is not None:
        a_group = min(a_group, site.ram_bytes // need.host)
    nominal = site.device.nominal_bytes
    return Replicas(nominal // need.weights if nominal and need.weights else None, a_group, a_group * groups)
