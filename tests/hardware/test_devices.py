"""The table of devices, and a file of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_console.device_source import load_devices
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.hardware.device import Device, parse_devices
from support.device_table import table

OWN = """
[[device]]
name = "t4"
title = "a T4 with ECC off"
sm = 75
memory_gb = 16
memory_mib = 16127

[[device]]
name = "board"
title = "our board"
kind = "edge"
memory_gb = 8
memory_mib = 7620
"""


SM = {0, 60, 61, 70, 72, 75, 80, 86, 87, 89, 90, 100, 103, 110, 120, 121}
"""NVIDIA's table of compute capabilities, as far as these devices go; 0 where there is no CUDA."""


def test_the_table_is_large_enough_and_says_where_its_figures_are_from() -> None:
    devices = list(load_devices(None))
    assert len(devices) >= 48
    assert len([device for device in devices if device.kind in ("edge", "apple")]) >= 12
    assert all(device.source and device.title for device in devices)


@pytest.mark.parametrize("device", [one for one in load_devices(None) if one.kind != "cpu"], ids=lambda one: one.name)
def test_figures_are_plausible(device: Device) -> None:
    assert device.sm in SM
    assert (device.sm > 0) == (device.vendor == "nvidia")
    assert 8 <= device.memory_gb <= 512
    # What is sold as N GB has about N GiB, of which ECC and firmware keep some.
    assert abs(device.memory_bytes / device.nominal_bytes - 1) < 0.08
    assert 15 <= device.bandwidth_gb_s <= 8000
    # NVIDIA's and AMD's data center links, PCIe 3.0 x16 and 4.0 x8 (32), 4.0 x16 (64), 5.0 x16 (128).
    links = {"nvlink": {300, 600, 900, 1800}, "xgmi": {300, 400, 896, 1075}, "pcie": {32, 64, 128}, "none": {0}}
    assert device.link_gb_s in links[device.link]
    if device.kind == "gpu":
        assert device.aliases
        assert device.memory_from == "driver"
    else:
        assert device.memory_from != "driver"


def test_no_name_means_two_devices() -> None:
    devices = load_devices(None)
    names = [name.lower() for device in devices for name in {device.name, *device.aliases}]
    assert len(names) == len(set(names))
    assert all(devices.named(name.upper()) for name in names)


def test_the_docs_show_this_table() -> None:
    docs = Path(__file__).parents[2] / "docs" / "devices.md"
    assert table() in docs.read_text("utf-8"), "make it again: python -m support.device_table"


def test_names_in_any_case_and_as_the_driver_says_them() -> None:
    devices = load_devices(None)
    assert devices.named("A100-80GB").sm == 80
    assert devices.named("Tesla T4") is devices.named("t4")


def test_an_unknown_name_is_met_with_near_ones() -> None:
    with pytest.raises(NotFoundError, match="No device 'h100'") as caught:
        load_devices(None).named("h100")
    assert "h100-80gb" in caught.value.hint


def test_a_file_of_ones_own_adds_and_corrects(tmp_path: Path) -> None:
    file = tmp_path / "devices.toml"
    file.write_text(OWN)
    devices = load_devices(file)
    assert devices.named("t4").memory_mib == 16127
    assert devices.named("board").memory_bytes == 7620 * 1024 * 1024
    assert devices.named("l4").title == "NVIDIA L4"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (OWN.replace("memory_mib = 7620", "memory_mib = -1"), "own.toml:14:1"),
        (OWN.replace('"board"', '"t4"'), "two devices are called 't4'"),
        (OWN.replace('kind = "edge"', 'aliases = ["T4"]'), "two devices are called 't4'"),
        (OWN.replace("kind", "sort"), "unknown field `sort`"),
    ],
)
def test_a_broken_file_says_where(toml: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_devices(toml, "own.toml")
    assert words in caught.value.detail


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        load_devices(tmp_path / "none.toml")
