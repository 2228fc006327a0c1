"""TOML to typed values, with file, line and column in every complaint."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from typing import TypeVar

import msgspec

from quantdeck_core.errors import InputError

T = TypeVar("T")

_SYNTAX_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_FIELD = re.compile(r"field `([^`]+)`")


class TomlError(InputError):
    """A TOML file that cannot be used."""

    code = "bad-toml"
    title = "Cannot read this TOML"


def decode_toml(text: str, kind: type[T], source: str) -> T:
    """Parse a document into a typed value.

    Args:
        source: file name for messages.

    Raises:
        TomlError: with `source:line:column`, what is wrong there, and what to do.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, column, message = _syntax_place(text, str(error))
        raise TomlError(
            f"{source}:{line}:{column}: {message[:1].lower()}{message[1:]}.",
            "Correct the line; strings need quotes and tables stand in [brackets].",
        ) from None
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        # TOML has no null: what may be null is what may be left out.
        message, _, path = str(error).replace(" | null", "").partition(" - at `$")
        keys = [part for part in re.split(r"[.\[\]`]+", path) if part and part != "..."]
        missing = "missing required" in message
        unknown = _FIELD.search(message) if "unknown field" in message else None
        line, column = locate(text, keys + ([unknown.group(1)] if unknown else []))
        where = ".".join(keys)
        hint = "Add it." if missing else "Correct it; `quantdeck profile show NAME` prints a complete example."
        raise TomlError(
            f"{source}:{line}:{column}: {where + ': ' if where else ''}{message[:1].lower()}{message[1:]}.",
            hint,
        ) from None


def _syntax_place(text: str, message: str) -> tuple[int, int, str]:
    found = _SYNTAX_PLACE.search(message)
    plain = _SYNTAX_PLACE.sub("", message)
    if found and found.group(1):
        return int(found.group(1)), int(found.group(2)), plain
    lines = text.splitlines() or [""]
    return len(lines), len(lines[-1]) + 1, plain


def locate(text: str, keys: list[str]) -> tuple[int, int]:
    """Line and column, from 1, where a key path is written; of its nearest written table where it is not."""
    best, table = (1, 1), []
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[+)\s*([^\]]+?)\s*\]+", line)
        if header:
            table = [part.strip(" \"'") for part in header.group(2).split(".")]
            if header.group(1) == "[[":
                # A table of an array has its number, from 0, in the path.
                table.append(str(seen[header.group(2)]))
                seen[header.group(2)] += 1
            if table == keys[: len(table)]:
                best = (number, line.index("[") + 1)
            if table == keys:
                return best
            continue
        key = re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line)
        if key:
            path = table + [part.strip("\"'") for part in key.group(1).split(".")]
            if path == keys[: len(path)]:
                return number, line.index(key.group(1)) + 1
    return best
