"""What a process was started with, and what changed since the one before: the first question in an incident."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

_SHOWN = 12
"""Hexadecimal digits of a digest that are shown."""
_PORT = "--port"


class Start(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One start.

    Attributes:
        t: UNIX time, seconds.
        sha256: of the checkpoint; empty while it is being read, or where there is none.
        argv: the whole command line.
    """

    generation: int
    replica: int = 0
    t: float
    profile: str
    model: str
    sha256: str = ""
    argv: tuple[str, ...] = ()
    version: str = ""


def changes(before: Start, after: Start) -> tuple[str, ...]:
    """In words, what is another than at the start before; empty where nothing is."""
    found = []
    if before.sha256 and after.sha256 and before.sha256 != after.sha256:
        found.append(f"checkpoint {before.model} {before.sha256[:_SHOWN]} -> {after.model} {after.sha256[:_SHOWN]}")
    elif before.model != after.model:
        found.append(f"checkpoint {before.model} -> {after.model}")
    if before.version != after.version:
        found.append(f"engine {before.version or 'unknown'} -> {after.version or 'unknown'}")
    old, new = _flags(before.argv), _flags(after.argv)
    other = [name for name in sorted({*old, *new} - {_PORT}) if old.get(name) != new.get(name)]
    return (*found, *(f"{name} {_value(old, name)} -> {_value(new, name)}" for name in other))


def _value(flags: dict[str, str], name: str) -> str:
    return (flags[name] or "set") if name in flags else "not set"


def _flags(argv: tuple[str, ...]) -> dict[str, str]:
    """Flag -> what follows it; words that belong to no flag by their place."""
    found: dict[str, str] = {}
    words: Iterator[tuple[int, str]] = iter(enumerate(argv))
    for index, word in words:
        if not word.startswith("-"):
            found[f"argument {index}"] = word
            continue
        following = argv[index + 1] if index + 1 < len(argv) else "--"
        name, equals, value = word.partition("=")
        if not equals and not following.startswith("--"):
            value = following
            next(words, None)
        found[name] = value
    return found
