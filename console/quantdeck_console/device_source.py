"""Where devices come from: quantdeck's table, and a file of one's own that adds to it or corrects it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from quantdeck_core.errors import InputError
from quantdeck_core.hardware.device import Devices, parse_devices
from quantdeck_profiles import data


def add_devices_option(parser: argparse.ArgumentParser) -> None:
    """`--devices FILE`."""
    parser.add_argument(
        "--devices",
        type=Path,
        default=_default(),
        help="[[device]] tables of your own (default: $QUANTDECK_DEVICES or ~/.config/quantdeck/devices.toml)",
    )


def load_devices(own: Path | None) -> Devices:
    """All devices.

    Args:
        own: a file that must exist; None for none.

    Raises:
        InputError: it cannot be read, or used.
    """
    tables = [parse_devices(data.text("devices"), "devices.toml")]
    if own is not None:
        try:
            text = own.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read {own}: {error}.", "Check --devices and $QUANTDECK_DEVICES.") from None
        tables.append(parse_devices(text, str(own)))
    return Devices(*tables)


def _default() -> Path | None:
    if named := os.environ.get("QUANTDECK_DEVICES"):
        return Path(named)
    usual = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "quantdeck" / "devices.toml"
    return usual if usual.is_file() else None
