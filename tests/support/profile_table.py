"""The tables in docs/profiles.md, from the schema and the flags: `python -m support.profile_table` prints them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import msgspec

from quantdeck_core.engines.extra_args import OWNERS
from quantdeck_core.engines.table import Allowed
from quantdeck_core.profile.defaults import DEFAULTS, resolved
from quantdeck_core.profile.fields import ENGINES, has
from quantdeck_core.profile.names import STARTED, EngineKind
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Serve
from support.profiles import FLAGS

OF_THE_ENGINE = "engine's"
NONE = "-"
VARIABLES = {
    "kv_cache_gib": "`VLLM_CPU_KVCACHE_SPACE`",
    "threads": "`OMP_NUM_THREADS`",
    "gpus": "`CUDA_VISIBLE_DEVICES`",
}
"""Fields that become environment variables: `threads` on vllm-cpu."""


def fields() -> str:
    """Field, what it is, and its default for each engine."""
    rows = [_row(["field", "what it is", *STARTED]), "|---" * (2 + len(STARTED)) + "|"]
    said = _attributes()
    rows += [_row([f"`{name}`", said[name], *(_default(engine, name) for engine in STARTED)]) for name in ENGINES]
    return "\n".join(rows) + "\n"


def sized() -> str:
    """Defaults that depend on the model's size."""
    lines = []
    for engine, defaults in DEFAULTS.items():
        for one in defaults.sized:
            values = ", ".join(f"`{name}` {value}" for name, value in msgspec.to_builtins(one.serve).items())
            lines.append(f"- `{engine}`, from {one.parameters:,} parameters: {values}")
    return "\n".join(lines) + "\n"


def mapping() -> str:
    """What each field becomes, for the newest version that is known."""
    rows = [_row(["from", *STARTED]), "|---" * (1 + len(STARTED)) + "|"]
    sources = list(dict.fromkeys(_owner(flag.field) for flag in FLAGS.flag))
    rows += [
        _row([f"`{source}`" if source else "always", *(_flags(engine, source) for engine in STARTED)])
        for source in [*sources, "kv_cache_gib", "gpus"]
    ]
    return "\n".join(rows) + "\n"


def allowed() -> str:
    """extra_args and env, by engine."""
    lines = []
    for engine in STARTED:
        flags = [_allowed(one) for one in FLAGS.allow if engine in one.engines]
        names = [f"`{one.name}`" for one in FLAGS.variable if engine in one.engines]
        lines.append(f"- **{engine}**: {', '.join(flags) or 'no flags'}. Variables: {', '.join(names)}.")
    return "\n".join(lines) + "\n"


def tables() -> Iterator[str]:
    """All that the page must hold."""
    yield from (fields(), sized(), mapping(), allowed())


def _owner(field: str) -> str:
    return OWNERS.get(field, field).replace("serve.", "")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _attributes() -> dict[str, str]:
    text = (Serve.__doc__ or "").split("Attributes:")[1]
    found = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", text, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", words) for name, words in found}


def _default(engine: EngineKind, field: str) -> str:
    if not has(engine, field):
        return NONE
    value = getattr(resolved(Profile(name="p", model="m", engine=engine), None), field)
    if value is None:
        return "none" if field == "api_key_env" else OF_THE_ENGINE
    return {"True": "true", "False": "false", "()": "[]"}.get(str(value), str(value))


def _flags(engine: EngineKind, source: str) -> str:
    version = FLAGS.version(engine, None)
    cells = []
    for flag in FLAGS.flag:
        if _owner(flag.field) == source and flag.holds(engine, version):
            off = f" or `{flag.off}`" if flag.off else ""
            cells.append(f"`{flag.flag}{' ' + flag.value if flag.value else ''}`{off}")
    if (engine == "vllm-cpu" and source in ("kv_cache_gib", "threads")) or (source == "gpus" and has(engine, "gpus")):
        cells.append(VARIABLES[source])
    if source == "model" and engine in ("vllm", "vllm-cpu"):
        cells.append("after `serve`")
    return ", ".join(cells) or NONE


def _allowed(one: Allowed) -> str:
    takes = " " + "|".join(one.choices) if one.choices else "" if one.value == "none" else f" {one.value}"
    span = (f" (from {one.since})" if one.since else "") + (f" (before {one.until})" if one.until else "")
    return f"`{one.flag}{takes}`{span}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(tables()))
