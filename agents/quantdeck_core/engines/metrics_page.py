"""Reading chosen families out of a page in Prometheus' text format, quickly.

An engine's page has hundreds of lines, and a host's sixteen engines are read every second: a line of no interest
costs one comparison, and the names and labels of the others, the same in every page, are taken apart once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from quantdeck_core.engines.histogram import CumulativeHistogram, histogram_of
from quantdeck_core.text import clean

_MOST_LABELS = 32
"""Different finish reasons that are kept; an engine has five."""


class Family(msgspec.Struct, frozen=True):
    """A family that is read.

    Attributes:
        field: what it is called here.
        by: the label whose values are kept apart; over all others it is summed.
        most: the largest is taken, not the sum.
    """

    field: str
    by: str = ""
    most: bool = False


class Page:
    """Values by field. One that is not a number (NaN, garbage) makes its whole field missing: no sum without it."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, float]] = {}
        self._broken: set[str] = set()

    def add(self, family: Family, label: str, text: str) -> None:
        """One line's value."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0:
            self._broken.add(family.field)
            return
        values = self._values.setdefault(family.field, {})
        before = values.get(label)
        if before is None:
            values[label] = value
        else:
            values[label] = max(before, value) if family.most else before + value

    def by_label(self, field: str) -> dict[str, float] | None:
        """Values by label."""
        if field in self._broken:
            return None
        values = self._values.get(field)
        return dict(list(values.items())[:_MOST_LABELS]) if values else None

    def value(self, field: str) -> float | None:
        """The value of a family without labels of interest."""
        return None if field in self._broken else self._values.get(field, {}).get("")

    def whole(self, field: str) -> int | None:
        """The same as a whole number."""
        value = self.value(field)
        return None if value is None else int(value)

    def histogram(self, field: str) -> CumulativeHistogram | None:
        """Buckets; None where they are incomplete."""
        if field in self._broken:
            return None
        try:
            buckets = {float(bound): count for bound, count in self._values.get(field, {}).items()}
            return histogram_of(buckets, self.value(f"{field}_sum"))
        except ValueError:
            return None


def read_page(text: str, families: Mapping[str, Family], prefix: str) -> Page:
    """Read the families whose names begin with a prefix.

    Args:
        families: by the name of their series.
    """
    page = Page()
    for line in text.split("\n"):
        if not line.startswith(prefix):
            continue
        end = line.rfind("}") + 1 or line.find(" ")
        name, labels = _head(line[:end])
        family = families.get(name)
        if family is not None:
            words = line[end:].split(None, 1)
            page.add(family, _label(labels, family.by) if family.by else "", words[0] if words else "")
    return page


@lru_cache(maxsize=8192)
def _head(text: str) -> tuple[str, str]:
    """Name and labels, the latter without braces."""
    name, _, labels = text.partition("{")
    return name, labels[:-1]


@lru_cache(maxsize=4096)
def _label(labels: str, name: str) -> str:
    """The value of a label. Quotes within values are escaped, so `,name="` begins nothing else."""
    _, found, rest = f",{labels}".partition(f',{name}="')
    return clean(rest.partition('"')[0], one_line=True)[:64] if found else ""
