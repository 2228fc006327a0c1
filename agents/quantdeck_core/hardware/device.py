"""The table of devices."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.profile.toml_text import decode_toml

Kind = Literal["gpu", "edge", "apple", "cpu"]
Vendor = Literal["nvidia", "amd", "intel", "apple", "raspberry-pi", "any"]
Link = Literal["nvlink", "xgmi", "pcie", "none"]
MemoryFrom = Literal["driver", "kernel", "nominal"]
Amount = Annotated[float, Meta(ge=0)]


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of device.

    Attributes:
        name: lower case, as commands take it, e.g. ``h100-80gb``.
        kind: ``edge``: a board whose CPU and GPU share the memory; ``apple``: so does Apple silicon; ``cpu``: no GPU.
        sm: compute capability without its point (89 for 8.9); 0 where there is no CUDA.
        memory_gb: nominal, in 10^9 bytes, as sold. 0: not a property of the device (a machine without a GPU).
        memory_mib: MiB in all as the driver reports them (NVML's total), which is what engines divide. 0 as above.
        memory_from: what `memory_mib` is: ``driver``: a driver's reading; ``kernel``: a machine's ``MemTotal``, where
            CPU and GPU share the memory; ``nominal``: what is sold, taken as GiB: no reading of it is known.
        bandwidth_gb_s: of its memory, 10^9 bytes a second. 0 where it depends on the machine.
        link: how several of them are joined in usual machines.
        link_gb_s: of one device to the others, both directions together, 10^9 bytes a second.
        aliases: other names, e.g. as NVML says it.
        board: how the device tree's model begins (`/proc/device-tree/model`), where it is a board. Boards that differ
            in memory alone share it.
        source: where the figures were read.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,40}$")]
    title: str
    kind: Kind = "gpu"
    vendor: Vendor = "nvidia"
    sm: Annotated[int, Meta(ge=0, le=999)] = 0
    memory_gb: Amount
    memory_mib: Annotated[int, Meta(ge=0)]
    memory_from: MemoryFrom = "nominal"
    bandwidth_gb_s: Amount = 0
    link: Link = "none"
    link_gb_s: Amount = 0
    aliases: tuple[str, ...] = ()
    board: str = ""
    source: str = ""

    @property
    def memory_bytes(self) -> int:
        """What engines divide, bytes."""
        return self.memory_mib * 1024 * 1024

    @property
    def nominal_bytes(self) -> int:
        """As sold, bytes."""
        return round(self.memory_gb * 1e9)


class DeviceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[device]]` tables of one file."""

    device: tuple[Device, ...]


class Devices:
    """Devices by name, in any case. Of two with one name the later one counts, so a user's file can correct ours."""

    def __init__(self, *tables: DeviceTable) -> None:
        self._by_name = {device.name: device for table in tables for device in table.device}
        self._by_alias = {alias.lower(): device for device in self for alias in device.aliases}

    def __iter__(self) -> Iterator[Device]:
        return iter(self._by_name.values())

    def find(self, name: str) -> Device | None:
        """A device by its name or an alias of it, in any case; None where there is none."""
        key = name.strip().lower()
        return self._by_name.get(key) or self._by_alias.get(key)

    def named(self, name: str) -> Device:
        """A device.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = self.find(name)
        if found is None:
            key = name.strip().lower()
            close = difflib.get_close_matches(key, [*self._by_name, *self._by_alias], 3)
            guess = f"Did you mean {', '.join(close)}? " if close else ""
            raise NotFoundError(
                f"No device {name!r} in the table.",
                f"{guess}There are: {', '.join(self._by_name)}. A file of your own can add it (docs/devices.md).",
            )
        return found


def parse_devices(toml: str, source: str) -> DeviceTable:
    """A table from TOML.

    Raises:
        TomlError: with file, line and column.
        InputError: two devices share a name or an alias.
    """
    table = decode_toml(toml, DeviceTable, source)
    names = Counter(name for device in table.device for name in {device.name, *map(str.lower, device.aliases)})
    if twice := [name for name, times in names.items() if times > 1]:
        raise InputError(f"{source}: two devices are called {twice[0]!r}.", "Rename one of them.")
    return table
