"""The table of devices, and a file of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantdeck_console.device_source import load_devices
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.hardware.device import parse_devices

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
