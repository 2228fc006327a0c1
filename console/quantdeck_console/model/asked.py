"""What an agent was asked for besides its events: the last answer, how old it is, and why there is no newer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

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
