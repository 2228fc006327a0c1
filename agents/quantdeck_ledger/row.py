"""A measurement as a row of the table."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quantdeck_core.memory.load import Load, Observed
from quantdeck_core.memory.serving import Serving

_PLAIN = tuple(name for name in Load.__struct_fields__ if name not in ("planned", "measured", "serving", "sources"))
_PLANNED = ("weights", "kv", "overhead")


def to_row(load: Load) -> dict[str, object]:
    """Values by column."""
    return {
        **{name: getattr(load, name) for name in _PLAIN},
        **{f"planned_{name}": getattr(load.planned, name) for name in _PLANNED},
        **msgspec.structs.asdict(load.measured),
        "engine": load.engine,
        "serving": msgspec.json.encode(load.serving).decode(),
        "sources": ",".join(load.sources),
    }


def from_row(row: Mapping[str, object]) -> Load:
    """A measurement from values by column.

    Raises:
        msgspec.MsgspecError: the row is damaged.
    """
    return msgspec.convert(
        {
            **{name: row[name] for name in _PLAIN},
            "planned": [row[f"planned_{name}"] for name in _PLANNED],
            "measured": {name: row[name] for name in Observed.__struct_fields__},
            "serving": msgspec.to_builtins(msgspec.json.decode(str(row["serving"]), type=Serving)),
            "sources": str(row["sources"]).split(","),
        },
        Load,
    )
