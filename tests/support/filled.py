"""A value of any type of the wire in which every text is the same, reached through the types themselves."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")

_DEEPEST = 6
_NAMES = ("a", "a1", "1", "GPU-1", "127.0.0.1", "ab" * 32, "a/b", "xllamacpp", "/a/b", "2")
"""For texts that have to look like something."""


class CannotFillError(Exception):
    """A text has to look like something that is not known here."""


def filled(kind: type[T], text: str, turn: int = 0) -> T:
    """Every field set, every collection with one element.

    Args:
        turn: which of several values a field gets where only some are allowed: all of them come, turn by turn.
    """
    return msgspec.convert(_value(inspect.type_info(kind), text, turn, 0), kind, strict=False, str_keys=True)


def _value(info: inspect.Type, text: str, turn: int, depth: int) -> Any:
    match info:
        case inspect.Metadata(type=inner):
            return _value(inner, text, turn, depth)
        case inspect.StrType(pattern=pattern, max_length=longest):
            return _text(pattern, longest, text)
        case inspect.LiteralType(values=values):
            return values[turn % len(values)]
        case inspect.EnumType(cls=cls):
            return list(cls)[turn % len(list(cls))].value
        case inspect.BoolType():
            return turn % 2 == 0
        case inspect.IntType() | inspect.FloatType():
            return _number(info)
        case inspect.NoneType():
            return None
        case inspect.UnionType(types=types):
            wanted = [one for one in types if not isinstance(one, inspect.NoneType)]
            return _value(wanted[turn % len(wanted)], text, turn, depth)
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            return [_value(info.item_type, text, turn + n, depth) for n in range(max(1, info.min_length or 0))]
        case inspect.TupleType(item_types=items):
            return [_value(item, text, turn, depth) for item in items]
        case inspect.DictType(key_type=key, value_type=value):
            return {_value(key, text, turn, depth): _value(value, text, turn, depth)}
        case inspect.StructType():
            return _struct(info, text, turn, depth)
        case inspect.AnyType() | inspect.RawType():
            return text
        case _:
            raise CannotFillError(info)


def _text(pattern: str | None, longest: int | None, text: str) -> str:
    wanted = text if pattern is None else next((one for one in _NAMES if re.search(pattern, one)), None)
    if wanted is None:
        raise CannotFillError(pattern)
    return wanted[:longest]


def _number(info: inspect.IntType | inspect.FloatType) -> float:
    low, high = info.ge if info.ge is not None else info.gt, info.le if info.le is not None else info.lt
    value = 1
    if low is not None and (value < low or (info.gt is not None and value <= low)):
        value = int(low) + 1
    if high is not None and value >= high:
        return (
            float(low or 0) + (float(high) - float(low or 0)) / 2 if isinstance(info, inspect.FloatType) else int(high)
        )
    return value


def _struct(info: inspect.StructType, text: str, turn: int, depth: int) -> Any:
    values: dict[str, Any] = {}
    if info.tag_field:
        values[info.tag_field] = info.tag
    for field in info.fields:
        try:
            if depth < _DEEPEST or field.required:
                values[field.encode_name] = _value(field.type, text, turn, depth + 1)
        except CannotFillError:
            if field.required:
                raise
    return list(values.values()) if info.array_like else values
