"""One thing that makes engines fail."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quantdeck_core.profile.names import STARTED, EngineKind


@dataclass(frozen=True)
class Cause:
    """A message of an engine, what it means, and what to do.

    Attributes:
        code: stable, for scripts, e.g. ``gpu-out-of-memory``.
        pattern: over lines without their prefixes. Its groups take numbers, names and paths, never free text.
        reason: with the pattern's groups, and `{when}`: while it was loading, or serving.
        hint: the next step; a field of the profile is written `serve.NAME`.
        serving_hint: the next step where it had served already; empty for the same.
    """

    code: str
    pattern: re.Pattern[str]
    reason: str
    hint: str
    serving_hint: str = ""
    engines: tuple[EngineKind, ...] = STARTED


def cause(
    code: str, pattern: str, reason: str, hint: str, *, serving: str = "", engines: tuple[EngineKind, ...] = STARTED
) -> Cause:
    """A cause from the text of its pattern; `^` and `$` mean a line's."""
    return Cause(code, re.compile(pattern, re.MULTILINE), reason, hint, serving, engines)
