"""The cases, from cases.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A checkpoint to build and to give to every engine.

    Attributes:
        maker: module under make/ that builds it.
        shape: name in make/shapes.py of the model that it is made from.
        options: the maker's.
        coarse: so few bits that its answers need not resemble the original's.
        vllm: arguments of `vllm.LLM` that this checkpoint needs, as `check` says.
        stricter: why `check` refuses what an engine would load: engine -> reason.
    """

    name: str
    title: str
    maker: str
    shape: str
    options: dict[str, Any] = {}
    coarse: bool = False
    vllm: dict[str, str] = {}
    stricter: dict[str, str] = {}

    @property
    def gguf(self) -> bool:
        return self.name.startswith("gguf-")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    case: tuple[Case, ...]


CASES = msgspec.toml.decode(Path(__file__).with_name("cases.toml").read_bytes(), type=_File).case
