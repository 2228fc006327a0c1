"""Actions that the caller of the console adds to its palette, e.g. those of the demo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ExtraAction:
    """Something to do by name.

    Attributes:
        run: returns a short text to show, or raises `QuantdeckError`.
        dangerous: gone in read-only mode.
    """

    title: str
    help: str
    run: Callable[[], Awaitable[str]]
    dangerous: bool = True
