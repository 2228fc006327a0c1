"""Pressure stall information: how much time is lost for want of memory (Linux 4.20 and later)."""

from __future__ import annotations

from pathlib import Path

from quantdeck_agent.telemetry.sysfs import text_of


def memory_pressure(root: Path) -> tuple[float | None, float | None]:
    """Percent of the last 10 s in which some, and all, tasks waited; None where the kernel does not say."""
    found: dict[str, float] = {}
    for line in (text_of(root / "proc/pressure/memory") or "").splitlines():
        kind, _, rest = line.partition(" ")
        for word in rest.split():
            name, _, value = word.partition("=")
            if name == "avg10":
                try:
                    found[kind] = float(value)
                except ValueError:
                    continue
    return found.get("some"), found.get("full")
