"""What is fuzzed, and what must hold: only errors for users, and bounds on bytes read, time and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

import quantdeck_profiles.data
from fuzz.case import FuzzSource, decode
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import judge_all
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.compat.to_gguf import to_gguf
from quantdeck_core.errors import InputError
from quantdeck_core.formats.detect import detect

READ_LIMIT = 400 << 20
"""Bytes of one folder: 128 MiB of headers, four JSON files and an index of 32 MiB each, a recipe."""
SECONDS_LIMIT = 10.0
"""Of one input. The longest that is allowed is a 100 MiB header."""
MEMORY_LIMIT = 512 << 20
"""Bytes that one input may need besides the process itself."""

_RULES = parse_rules(quantdeck_profiles.data.text("compatibility"))
_KNOWN = parse_architectures(quantdeck_profiles.data.text("architectures"))


_STATM = Path("/proc/self/statm")


class Outcome(NamedTuple):
    """What one input did. `signature` is alike for inputs that went the same way, seen from outside."""

    signature: str
    bytes_read: int
    seconds: float


def run(data: bytes) -> Outcome:
    """Read one folder, and judge it as `quantdeck check --json` would.

    Raises:
        AssertionError: a bound does not hold.
        MemoryError: it needs more than `MEMORY_LIMIT`.
        Exception: anything else that is no `InputError`.
    """
    source = FuzzSource(decode(data))
    began = time.perf_counter()
    refusal: InputError | None = None
    with _limited_memory():
        try:
            found = detect(source)
        except InputError as error:
            refusal = error
    if refusal is not None:
        assert refusal.detail.isprintable(), f"control characters in {refusal.detail!r}"
        signature = f"{type(refusal).__name__}:{_line(refusal)}"
    else:
        for verdict in judge_all(_RULES, found, None):
            with_architecture(verdict, _KNOWN, found, _RULES.engine_named(verdict.engine))
        msgspec.json.encode((found, to_gguf(found, _KNOWN)))
        filled = [name for name in found.__struct_fields__ if getattr(found, name)]
        codes = sorted({problem.code for problem in found.problems})
        signature = f"{found.format}:{found.scheme if found.format != 'safetensors' else ''}:{filled}:{codes}"
    seconds = time.perf_counter() - began
    assert source.bytes_read <= READ_LIMIT, f"{source.bytes_read} bytes were read"
    assert seconds <= SECONDS_LIMIT, f"{seconds:.1f} s"
    return Outcome(signature, source.bytes_read, seconds)


def _line(error: BaseException) -> int:
    """Of the source, where it was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_lineno if traceback else 0


@contextmanager
def _limited_memory() -> Iterator[None]:
    """In here the process gets `MEMORY_LIMIT` more; past that, Python raises MemoryError."""
    used = int(_STATM.read_text("ascii").split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_LIMIT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
