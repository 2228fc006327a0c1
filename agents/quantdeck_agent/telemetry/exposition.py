"""Prometheus' text format: what is missing has no line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

from quantdeck_core.text import clean

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["gauge", "counter", "histogram"]
Labels = Mapping[str, str]


class Exposition:
    """Families in the order in which they first came, each with its head once."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._families: dict[str, list[str]] = {}

    def add(self, name: str, kind: Kind, text: str, value: float | None, labels: Labels | None = None) -> None:
        """One value; nothing where it is missing."""
        if value is not None and math.isfinite(value):
            name = self._prefix + name
            self._family(name, kind, text).append(f"{name}{_braces(labels or {})} {_number(value)}")

    def histogram(
        self,
        name: str,
        text: str,
        bounds: tuple[float, ...],
        counts: tuple[float, ...],
        total: float | None,
        labels: Labels,
    ) -> None:
        """Cumulative buckets; the last bound is infinite."""
        name = self._prefix + name
        lines = self._family(name, "histogram", text)
        for bound, count in zip(bounds, counts, strict=True):
            le = {"le": "+Inf" if math.isinf(bound) else _number(bound)}
            lines.append(f"{name}_bucket{_braces({**labels, **le})} {_number(count)}")
        lines.append(f"{name}_count{_braces(labels)} {_number(counts[-1])}")
        if total is not None:
            lines.append(f"{name}_sum{_braces(labels)} {_number(total)}")

    def text(self) -> str:
        """The page."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for lines in self._families.values():
            yield from lines

    def _family(self, name: str, kind: Kind, text: str) -> list[str]:
        if name not in self._families:
            self._families[name] = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        return self._families[name]


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items()) + "}"


def escaped(value: str) -> str:
    """A label's value, without control characters."""
    return clean(value, one_line=True).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
