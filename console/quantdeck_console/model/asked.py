"""What an agent was asked for besides its events: the last answer, how old it is, and why there is no newer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from quantdeck_console.model.text import Line, wrapped
from quantdeck_core.errors import ErrorInfo

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Asked(Generic[T]):
    """A question and what became of it.

    Attributes:
        value: the last answer; None before the first.
        at: console time of that answer, UNIX seconds.
        error: why the last try brought none; None after an answer.
    """

    value: T | None = None
    at: float | None = None
    error: ErrorInfo | None = None


def error_lines(error: ErrorInfo, width: int, *, host: str = "", most: int = 4) -> list[Line]:
    """An error as everywhere: what happened (and where, if that has to be said), and what to do next.

    Args:
        most: lines for what happened.
    """
    where = f"{host}: " if host else ""
    return [
        *wrapped(f"x {where}{error.title}: {error.detail}", width, "warn", most=most),
        *wrapped(error.hint, width, indent="   ", most=3),
    ]
