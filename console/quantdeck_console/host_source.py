"""The hardware of a fleet host, from its agent."""

from __future__ import annotations

import argparse

from quantdeck_console.commands.common import ask, host_named, run_with_fleet
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_core.errors import InputError
from quantdeck_core.hardware.device import Devices
from quantdeck_core.hardware.host import HostHardware, of_host
from quantdeck_core.memory.room import Site
from quantdeck_core.protocol.host import HostStatus


def hardware_of_host(options: argparse.Namespace, devices: Devices) -> HostHardware:
    """What `--host` of the fleet that `--fleet` names has.

    Raises:
        QuantdeckError: there is no such host, it cannot be reached, or it has a GPU that no table knows.
    """

    async def status(fleet: Fleet) -> HostStatus:
        return await ask(host_named(fleet, options.host), lambda client: client.status())

    return of_host(run_with_fleet(options, status), devices)


def site_of_host(options: argparse.Namespace, devices: Devices) -> Site:
    """The same for a plan, which is for devices of one kind.

    Raises:
        QuantdeckError: as above, or it has several kinds.
    """
    hardware = hardware_of_host(options, devices)
    if len(hardware.devices) > 1:
        kinds = [f"{one.device.name}:{one.count}" for one in hardware.devices]
        raise InputError(
            f"{options.host} has GPUs of several kinds: {', '.join(kinds)}.",
            f"Plan for one of them: --gpu {kinds[0]}.",
        )
    one = hardware.devices[0]
    return Site(one.device, one.count, hardware.ram_bytes)
