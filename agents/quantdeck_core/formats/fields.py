"""Values out of JSON that somebody else wrote: the right type, in bounds, safe to show."""

from __future__ import annotations

from collections.abc import Mapping

from quantdeck_core.formats.errors import ConfigError
from quantdeck_core.text import clean

INT_LIMIT = 1 << 40
"""No count of layers, heads or tokens comes near; a larger one is damage."""
TEXT_LIMIT = 200
"""Characters of a name that are kept."""

Json = Mapping[str, object]


def integer(body: Json, *names: str) -> int | None:
    """The first of the names that is there and not null; of a list (one value per layer) the largest.

    Raises:
        ConfigError: it is no integer, or out of bounds.
    """
    for name in names:
        value = body.get(name)
        if isinstance(value, list) and value and len(value) <= 65_536:
            whole = [entry for entry in value if isinstance(entry, int) and not isinstance(entry, bool)]
            value = max(whole) if len(whole) == len(value) else value
        if value is None:
            continue
        if isinstance(value, float) and value.is_integer() and abs(value) < INT_LIMIT:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value <= INT_LIMIT:
            raise ConfigError(
                f"{name!r} should be a whole number and is {clean(repr(value)[:60], one_line=True)}.",
                "Compare the configuration with the one that the model was published with.",
            )
        return value
    return None


def positive(body: Json, *names: str) -> int | None:
    """As `integer`; 0 and -1, which some libraries write for 'none', become None."""
    value = integer(body, *names)
    return value if value is not None and value > 0 else None


def flag(body: Json, name: str) -> bool | None:
    """A boolean, or None where there is none."""
    value = body.get(name)
    return value if isinstance(value, bool) else None


def text(body: Json, *names: str) -> str | None:
    """The first of the names that holds a string: one line, cut to `TEXT_LIMIT` characters."""
    for name in names:
        value = body.get(name)
        if isinstance(value, str) and value:
            return shown(value)
    return None


def section(body: Json, name: str) -> dict[str, object]:
    """A nested object; empty where there is none."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def shown(value: str) -> str:
    """Foreign text as one short line without control characters."""
    return clean(value[:TEXT_LIMIT], one_line=True)
