"""Numbers as people read them: one place, so that TUI, plain text and sentences never disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from quantdeck_core.drift.intervals import mean_interval, share_interval
from quantdeck_core.hashing import BUCKETS, bp_to_percent

NONE = "-"
"""What stands where a value is not known."""

_KIB = 1024


def clock(t: float) -> str:
    """UNIX time to local ``02:17:31``."""
    return datetime.fromtimestamp(t).strftime("%H:%M:%S")


def clock_minutes(t: float) -> str:
    """UNIX time to local ``02:17``: a quiet screen changes once a minute."""
    return datetime.fromtimestamp(t).strftime("%H:%M")


def zone(t: float) -> str:
    """What the local clock is at a UNIX time: ``UTC``, ``UTC+2``, ``UTC-3:30``."""
    offset = datetime.fromtimestamp(t).astimezone().utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def clock_utc(t: float) -> str:
    """UNIX time as ``02:17:31 UTC``, for who may sit in another zone."""
    return datetime.fromtimestamp(t, UTC).strftime("%H:%M:%S UTC")


def day(t: float) -> str:
    """The local day of a UNIX time: ``06-01``."""
    return datetime.fromtimestamp(t).strftime("%m-%d")


def age(seconds: float) -> str:
    """``48s``, ``12m``, ``5h``, ``3d``; never longer than four characters below 1000 days."""
    whole = max(0, int(seconds))
    if whole < 100:
        return f"{whole}s"
    for unit, length, limit in (("m", 60, 100), ("h", 3600, 48)):
        if whole < length * limit:
            return f"{whole // length}{unit}"
    return f"{whole // 86_400}d"


def size(count: float | None) -> str:
    """Bytes in binary units: ``210 MiB``, ``13.1 GiB``."""
    if count is None:
        return NONE
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1000 or unit == "TiB":
            break
        value /= _KIB
    return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.1f} {unit}"


def gigabytes(count: int) -> str:
    """Bytes as GPUs are sold and models are talked of, in units of 10^9: ``35.0 GB``, ``140 GB``."""
    value = count / 1e9
    return f"{value:.0f} GB" if value >= 99.95 else f"{value:.1f} GB"


def number(value: float | None) -> str:
    """A rate in at most four characters below a million: ``9.4``, ``118``, ``1.2k``, ``48k``."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 9.95:
        return f"{value:.1f}".removesuffix(".0")
    if value < 999.5:
        return f"{value:.0f}"
    for unit in ("k", "M"):
        value /= 1000
        if value < 999.5:
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return f"{value:.0f}M"


def count(value: int) -> str:
    """``18,204``."""
    return f"{value:,}"


def duration(ms: float | None) -> str:
    """Milliseconds: ``0.4 ms``, ``118 ms``, ``2.4 s``."""
    if ms is None or not math.isfinite(ms):
        return NONE
    if ms < 9.95:
        return f"{ms:.1f} ms"
    return f"{ms:.0f} ms" if ms < 999.5 else f"{ms / 1000:.1f} s"


def short_duration(ms: float | None) -> str:
    """As `duration`, for a narrow column: ``118ms``."""
    return duration(ms).replace(" ", "")


def percent(part: float) -> str:
    """A share of 1 as ``47.1 %``."""
    return f"{part * 100:.1f} %"


def whole_percent(used: float, total: float) -> str:
    """``41%``; `NONE` where there is nothing to take a share of."""
    return f"{used / total * 100:.0f}%" if total > 0 else NONE


def share_of(hits: int, total: int) -> str:
    """A measured share with Wilson's 95 % interval: ``1.9 % [1.7 2.1]``; `NONE` without data."""
    if total <= 0:
        return NONE
    low, high = share_interval(hits, total)
    return f"{percent(hits / total)} [{low * 100:.1f} {high * 100:.1f}]"


def mean_of(mean: float | None, sd: float | None, total: int) -> str:
    """A mean with its 95 % interval: ``214 [211 217]``; without brackets where one value cannot have any."""
    if mean is None:
        return NONE
    low, high = mean_interval(mean, sd or 0.0, total)
    return f"{mean:.0f} [{low:.0f} {high:.0f}]" if math.isfinite(low) else f"{mean:.0f}"


def weight(weight_bp: int) -> str:
    """1250 basis points to ``12.5 %``."""
    return f"{bp_to_percent(weight_bp)} %"


def split(treatment_bp: int) -> str:
    """Control/treatment in percent: ``90/10``."""
    return f"{bp_to_percent(BUCKETS - treatment_bp)}/{bp_to_percent(treatment_bp)}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """``a, b, c``, or ``a, b, c and 9 more``."""
    more = f" and {count(len(names) - most)} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plural(amount: int, noun: str) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{count(amount)} {noun}{'' if amount == 1 else 's'}"
