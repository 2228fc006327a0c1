"""Profiles to choose from: what each says of itself in one line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from quantdeck_console.model.text import Line, Span, Tone, left
from quantdeck_core.errors import ErrorInfo
from quantdeck_core.fleet.cells import NONE
from quantdeck_core.fleet.words import has_words
from quantdeck_core.profile.schema import Profile

_SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d{1,4}(?:\.\d{1,2})?)\s?([BM])(?![A-Za-z0-9])", re.IGNORECASE)
_FORMAT = re.compile(
    r"(?<![A-Za-z0-9])(I?Q\d_[0-9A-Z]+(?:_[A-Z]{1,2})?|TQ\d_0|(?:MX|NV)?FP\d{1,2}|BF16|F16|F32|AWQ|GPTQ|NF4|W\d{1,2}A\d{1,2})"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class ProfileItem:
    """A profile that can be chosen, or a file that cannot be read.

    Attributes:
        source: by which it was read: the name of a built-in one, or a path.
        error: why there is no profile.
    """

    source: str
    profile: Profile | None = None
    error: ErrorInfo | None = None

    @property
    def name(self) -> str:
        """What the list calls it."""
        return self.profile.name if self.profile else PurePath(self.source).name

    @property
    def size(self) -> str:
        """The model's size as its file or its description names it: ``7B``; a dash where neither does."""
        found = self._said(_SIZE)
        return f"{found[1]}{found[2].upper()}" if found else NONE

    @property
    def format(self) -> str:
        """The format as its file, its fields or its description name it: ``Q4_K_M``; likewise."""
        if self.profile and self.profile.serve.quantization:
            return self.profile.serve.quantization
        found = self._said(_FORMAT)
        return found[1].upper() if found else NONE

    @property
    def engine(self) -> str:
        """What would serve it."""
        return self.profile.engine if self.profile else NONE

    @property
    def description(self) -> str:
        """In its author's words."""
        return self.profile.description if self.profile else ""

    def matches(self, pattern: str) -> bool:
        """Whether it has the words of a filter."""
        return has_words(
            f"{self.source} {self.name} {self.size} {self.format} {self.engine} {self.description}", pattern
        )

    def _said(self, what: re.Pattern[str]) -> re.Match[str] | None:
        profile = self.profile
        texts = (profile.model, profile.description, profile.name) if profile else ()
        return next(filter(None, (what.search(text) for text in texts)), None)


@dataclass(frozen=True)
class ProfileRow:
    """A profile as its list shows it."""

    source: str
    name: str
    size: str
    format: str
    engine: str
    chosen: bool
    broken: bool

    @classmethod
    def of(cls, item: ProfileItem, chosen: str) -> ProfileRow:
        """The row of a profile; `chosen` is the source of the one that would be deployed."""
        return cls(
            item.source, item.name, item.size, item.format, item.engine, item.source == chosen, item.error is not None
        )


@dataclass(frozen=True)
class ProfileColumns:
    """Column widths in cells."""

    name: int
    size: int
    format: int
    engine: int

    @classmethod
    def for_width(cls, width: int) -> ProfileColumns:
        """What fits beside the hosts: names first, then the engine's whole name."""
        size, format_ = 4, 6
        engine = 16 if width >= 60 else 9
        return cls(name=max(8, width - 2 - size - format_ - engine - 4), size=size, format=format_, engine=engine)


def profile_head(columns: ProfileColumns, pattern: str, amount: int) -> Line:
    """Column names, how many there are, and the filter."""
    first = f"PROFILE {amount}  /{pattern}" if pattern else f"PROFILE {amount}  / filters"
    cells = (
        left(first, columns.name, "head"), left("SIZE", columns.size, "head"), left("FORMAT", columns.format, "head"),
        left("ENGINE", columns.engine, "head"),
    )  # fmt: skip
    return (Span("   "), *(part for cell in cells for part in (*cell, Span(" "))))


def profile_line(row: ProfileRow, columns: ProfileColumns) -> Line:
    """One profile; the chosen one is starred."""
    mark = Span("x ", "warn") if row.broken else Span("* ", "key") if row.chosen else Span("  ")
    tone: Tone = "warn" if row.broken else "strong" if row.chosen else ""
    if row.broken:
        width = columns.name + columns.size + columns.format + columns.engine + 3
        return (mark, *left(f"{row.name}  cannot be read", width, tone))
    return (
        mark, *left(row.name, columns.name, tone), Span(" "), *left(row.size, columns.size), Span(" "),
        *left(row.format, columns.format), Span(" "), *left(row.engine, columns.engine, "dim"),
    )  # fmt: skip
