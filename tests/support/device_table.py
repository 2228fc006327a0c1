"""The table of devices in docs/devices.md, from the data: `python -m support.device_table` prints it."""

from __future__ import annotations

import sys

import quantdeck_profiles.data
from quantdeck_core.fleet.cells import NONE, count
from quantdeck_core.hardware.device import Device, parse_devices

_HEAD = """\
| name | device | SM | GB sold | MiB in all | GB/s | link, GB/s | figures from |
|---|---|---|---|---|---|---|---|
"""


def table() -> str:
    """Markdown."""
    devices = parse_devices(quantdeck_profiles.data.text("devices"), "devices.toml").device
    return _HEAD + "".join(_row(device) for device in devices)


def _row(device: Device) -> str:
    sm = f"{device.sm // 10}.{device.sm % 10}" if device.sm else NONE
    mib = f"{count(device.memory_mib)}{'' if device.memory_from == 'driver' else f' ({device.memory_from})'}"
    link = NONE if device.link == "none" else f"{device.link} {device.link_gb_s:g}"
    cells = [f"`{device.name}`", device.title, sm, _or_none(device.memory_gb), mib if device.memory_mib else NONE]
    cells += [_or_none(device.bandwidth_gb_s), link, device.source]
    return "| " + " | ".join(cells) + " |\n"


def _or_none(amount: float) -> str:
    return f"{amount:g}" if amount else NONE


if __name__ == "__main__":
    sys.stdout.write(table())
