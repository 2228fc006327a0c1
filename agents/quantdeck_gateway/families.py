"""Tables of Prometheus families, and how they are written as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from quantdeck_gateway.histogram import Histogram

T = TypeVar("T")
PREFIX = "quantdeck_gateway_"

Reading = float | Histogram | Mapping[str, float]


@dataclass(frozen=True)
class Family(Generic[T]):
    """One row of a table: a family, and what it reads of the things that the table is about.

    Attributes:
        name: without the prefix; counters end in `_total`, units are base units.
        read: a number, a histogram of seconds, or numbers by the value of `label`, of which zeros are left out.
        label: what tells the numbers of one thing apart.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    read: Callable[[T], Reading]
    label: str = ""


def lines_of(families: Iterable[Family[T]], things: Iterable[tuple[str, T]]) -> list[str]:
    """All series of a table; `things` come with their labels, without braces."""
    things = tuple(things)
    lines: list[str] = []
    for family in families:
        name = PREFIX + family.name
        lines += (f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}")
        for labels, thing in things:
            lines += _series(name, family.label, labels, family.read(thing))
    return lines


def _series(name: str, label: str, labels: str, reading: Reading) -> list[str]:
    if isinstance(reading, Histogram):
        return reading.lines(name, labels)
    if isinstance(reading, Mapping):
        return [
            f"{name}{{{labels_of(labels, **{label: value})}}} {number}" for value, number in reading.items() if number
        ]
    return [f"{name}{{{labels}}} {reading}" if labels else f"{name} {reading}"]


def labels_of(begun: str = "", **more: str) -> str:
    """Labels, without braces; `begun` are finished ones."""
    parts = [begun] if begun else []
    return ",".join([*parts, *(f'{name}="{escape(value)}"' for name, value in more.items())])


def escape(value: str) -> str:
    """A label's value."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
