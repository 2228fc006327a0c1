"""Small kernel files under a root, so that tests can play a machine."""

from __future__ import annotations

from pathlib import Path


def text_of(path: Path) -> str | None:
    """The first 4 KiB of a file; None where it is not there, not readable, or its driver fails."""
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(4096).decode("utf-8", "replace").rstrip("\0\n ").strip()
    except OSError:
        return None


def number_of(path: Path, base: int = 10) -> int | None:
    """A file that holds one whole number."""
    text = text_of(path)
    try:
        return None if text is None else int(text, base)
    except ValueError:
        return None
