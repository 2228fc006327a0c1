"""Flags of one engine in one version, in the table's order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quantdeck_core.engines.table import FlagTable
from quantdeck_core.profile.names import EngineKind

Values = Mapping[str, object]
"""Field of `[serve]`, or another value that flags carry -> its value; None for nothing."""


def flags_of(table: FlagTable, engine: EngineKind, version: str, values: Values) -> Iterator[str]:
    """The arguments."""
    for flag in table.flag:
        if not flag.holds(engine, version):
            continue
        value = values.get(flag.field) if flag.field else flag.value or True
        if isinstance(value, bool):
            if written := flag.flag if value else flag.off:
                yield written
        elif value is not None:
            yield flag.flag
            yield f"{value:g}" if isinstance(value, float) else str(value)
