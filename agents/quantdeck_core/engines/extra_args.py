"""`extra_args` and `env` of a profile against the allow-list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quantdeck_core.engines.table import Allowed, FlagTable, Value
from quantdeck_core.profile.names import EngineKind

Refusal = tuple[str, str]
"""What is wrong, and what to do."""

_VALUES: dict[Value, tuple[re.Pattern[str], str]] = {
    "none": (re.compile(r"(?!)"), "no value"),
    "integer": (re.compile(r"-?\d{1,12}"), "a whole number"),
    "number": (re.compile(r"-?\d{1,12}(\.\d{1,12})?"), "a number"),
    "word": (re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:+=-]*"), "a word without slash or space"),
}


def extra_args_refused(table: FlagTable, engine: EngineKind, version: str, args: tuple[str, ...]) -> Iterator[Refusal]:
    """Why arguments may not be given; each is `--flag`, `--flag=value`, or `--flag` and its value after it."""
    waiting = list(args)
    seen: set[str] = set()
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        allowed = next((one for one in table.allow if one.flag == name and one.holds(engine, version)), None)
        if allowed is None:
            yield f"extra_args: {name!r} is refused.", _why(table, engine, version, name)
            return  # what follows may be its value
        if allowed.value != "none" and not equals:
            value, equals = (waiting.pop(0) if waiting else ""), "="
        if problem := _value_refused(allowed, bool(equals), value):
            yield problem
        if name in seen:
            yield f"extra_args: {name} stands there twice.", "Leave one."
        seen.add(name)


def env_refused(table: FlagTable, engine: EngineKind, version: str, env: dict[str, str]) -> Iterator[Refusal]:
    """Why variables may not be set."""
    known = {one.name: one.value for one in table.variable if one.holds(engine, version)}
    for name, value in env.items():
        if name not in known:
            yield (
                f"env: {name} is not on the allow-list of {engine}.",
                f"There are: {', '.join(known)}." if known else "There is none.",
            )
        elif not _VALUES[known[name]][0].fullmatch(value):
            yield f"env: {name} takes {_VALUES[known[name]][1]}, not {value!r}.", "Correct it."


def _value_refused(allowed: Allowed, given: bool, value: str) -> Refusal | None:
    pattern, words = _VALUES[allowed.value]
    if allowed.value == "none":
        return (f"extra_args: {allowed.flag} takes no value.", "Leave it out.") if given else None
    if allowed.choices and value not in allowed.choices:
        return f"extra_args: {allowed.flag} takes {', '.join(allowed.choices)}; not {value!r}.", "Choose one."
    if not pattern.fullmatch(value):
        return f"extra_args: {allowed.flag} takes {words}, not {value!r}.", "Correct it."
    return None


def _why(table: FlagTable, engine: EngineKind, version: str, name: str) -> str:
    for flag in table.flag:
        if flag.holds(engine, version) and name in (flag.flag, flag.off, *flag.short):
            owner = OWNERS.get(flag.field, f"serve.{flag.field}")
            return f"It is set from {owner}." if flag.field else "quantdeck sets it itself."
    for denied in table.deny:
        if denied.holds(engine, version) and name in denied.flags:
            return denied.why
    if not name.startswith("-"):
        return "An argument is --flag, --flag=value, or a flag's value after it."
    near = sorted(one.flag for one in table.allow if one.holds(engine, version))
    return f"Allowed are: {', '.join(near)}." if near else f"{engine} takes no extra_args."


OWNERS = {
    "served_name": "served_name",
    "model_path": "model",
    "context": "serve.max_model_len x serve.max_num_seqs",
    "gpu_layers": "serve.n_gpu_layers",
    "kv_type_number": "serve.kv_cache_dtype",
    "generation_config": "serve.max_tokens",
}
"""Values of flags that are no fields of `[serve]` -> what they come from."""
