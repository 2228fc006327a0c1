"""The devices of a fleet host, from what its agent reports."""

from __future__ import annotations

import re

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.hardware.device import Device, Devices, MemoryFrom
from quantdeck_core.protocol.host import GpuSample, HostStatus
from quantdeck_core.text import clean

_SAME_MEMORY = 0.10
"""A reading this far from the table's is still that device: ECC on or off, another driver. Two sizes under one name,
e.g. the RTX 4060 Ti with 8 and with 16 GB, differ by more."""
_MIB = 1024 * 1024


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of one kind.

    Attributes:
        device: with the memory that the host reports, not the table's; `cpu` has none of its own.
        gpus: their numbers on that host; empty where the device is the machine itself.
    """

    device: Device
    gpus: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many."""
        return max(1, len(self.gpus))


class HostHardware(msgspec.Struct, frozen=True, kw_only=True):
    """What a host has to serve on. `devices`: at least one; without a GPU, the board or the table's `cpu`."""

    devices: tuple[Installed, ...]
    ram_bytes: int


def of_host(status: HostStatus, devices: Devices) -> HostHardware:
    """The hardware of a host.

    Raises:
        InputError: it has a GPU that the table does not know and whose driver does not say enough.
    """
    ram = status.sample.memory_total_bytes
    kinds: dict[Device, list[int]] = {}
    for gpu in status.sample.gpus:
        kinds.setdefault(_device(gpu, devices, status.name), []).append(gpu.index)
    found = tuple(Installed(device=device, gpus=tuple(gpus)) for device, gpus in kinds.items())
    if not found:
        found = (Installed(device=_without_gpu(status.sample.board, ram, devices)),)
    return HostHardware(devices=found, ram_bytes=ram)


def _device(gpu: GpuSample, devices: Devices, host: str) -> Device:
    known = devices.find(gpu.name)
    mib = gpu.memory_total_bytes // _MIB
    # A DGX Spark and a Thor have RAM of one size; how much of it the kernel sees depends on the firmware.
    if known and (gpu.unified or abs(mib - known.memory_mib) <= known.memory_mib * _SAME_MEMORY):
        return _with_memory(known, mib, "kernel" if gpu.unified else "driver")
    if gpu.sm is None:
        raise InputError(
            f"{host}: the table has no device for GPU {gpu.index}, {clean(gpu.name, one_line=True)!r} with {mib} MiB, "
            "and its agent does not say the compute capability.",
            "Add it to a file of your own (docs/devices.md), or name a device with --gpu.",
        )
    return Device(
        name=_slug(gpu.name),
        title=clean(gpu.name, one_line=True),
        kind="edge" if gpu.unified else "gpu",
        sm=gpu.sm,
        memory_gb=gpu.memory_total_bytes / 1e9,
        memory_mib=mib,
        memory_from="kernel" if gpu.unified else "driver",
        source="the host's agent",
    )


def _without_gpu(board: str, ram: int, devices: Devices) -> Device:
    """The board, of those that share its name the one nearest in memory; else `cpu`."""
    boards = [device for device in devices if device.board and board.startswith(device.board)]
    if boards:
        nearest = min(boards, key=lambda device: abs(device.memory_bytes - ram))
        return _with_memory(nearest, ram // _MIB, "kernel")
    return devices.named("cpu")


def _with_memory(device: Device, mib: int, source: MemoryFrom) -> Device:
    return msgspec.structs.replace(device, memory_mib=mib, memory_from=source)


def _slug(name: str) -> str:
    """``NVIDIA GeForce GTX 1660`` to ``nvidia-geforce-gtx-1660``."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:40] or "gpu"
