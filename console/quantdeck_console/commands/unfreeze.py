"""`quantdeck unfreeze --reason ...`: let automation go on."""

from __future__ import annotations

from quantdeck_console.commands.freeze import run


def main(argv: list[str]) -> int:
    """Unfreeze the fleet, or the hosts that are named."""
    return run("unfreeze", "Let rollouts go on.", argv)
