"""Why a board's processor is slower than it could be: firmware, cooling devices, clock limits."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from quantdeck_agent.telemetry.sysfs import number_of, text_of

_BITS = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}
"""Raspberry Pi: what holds now (`vcgencmd get_throttled`); the bits from 16 on tell of the past."""
_ACTIVE = ("cpufreq", "cpu", "processor", "devfreq", "gpu")
"""Cooling devices that work by slowing something down; a fan that runs is no throttling."""


class Clock(NamedTuple):
    """MHz, of the fastest core, and what the hardware can."""

    now: float | None
    top: float | None


class Throttling:
    """Looks for the machine's files once."""

    def __init__(self, root: Path) -> None:
        # Older kernels of the Raspberry Pi have the firmware's word, newer ones its voltage alarm.
        self._firmware = next((root / "sys/devices/platform").glob("soc*/soc*:firmware/get_throttled"), None)
        monitors = (root / "sys/class/hwmon").glob("hwmon*")
        self._volt = next((one / "in0_lcrit_alarm" for one in monitors if text_of(one / "name") == "rpi_volt"), None)
        cooling = sorted((root / "sys/class/thermal").glob("cooling_device*"))
        self._cooling = [
            (device, name.lower())
            for device in cooling
            if (name := text_of(device / "type")) and any(word in name.lower() for word in _ACTIVE)
        ]
        self._policies = sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*"))[:16]

    def clock(self) -> Clock:
        """The fastest policy's clock."""
        return Clock(self._most("scaling_cur_freq"), self._most("cpuinfo_max_freq"))

    def _most(self, file: str) -> float | None:
        known = [khz for policy in self._policies if (khz := number_of(policy / file))]
        return max(known) / 1000 if known else None

    def reasons(self) -> tuple[str, ...] | None:
        """In words; None where this machine has nothing to tell it by."""
        bits = number_of(self._firmware, 16) if self._firmware else None
        words = [word for bit, word in _BITS.items() if bits is not None and bits >> bit & 1]
        low = number_of(self._volt) if self._volt else None
        if low and not words:
            words.append(_BITS[0])
        known = bits is not None or low is not None
        for device, name in self._cooling:
            state = number_of(device / "cur_state")
            if state is None:
                continue
            known = True
            if state > 0:
                words.append(f"{name} held back ({state} of {number_of(device / 'max_state') or '?'})")
        return tuple(words[:4]) if known else None
