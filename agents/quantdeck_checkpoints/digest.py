"""What a checkpoint is, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hex; reads all of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a checkpoint: of a file its own; of a folder that of `SHA-256 size name` lines, by name."""
    if path.is_file():
        return sha256_of(path)
    files = sorted(one for one in path.rglob("*") if one.is_file())
    lines = (f"{sha256_of(one)} {one.stat().st_size} {one.relative_to(path)}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def fingerprint_of(path: Path) -> str:
    """Names, sizes and times of a checkpoint's files: where it differs, so may the content. Reads none of it."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    stats = ((one.name if one == path else str(one.relative_to(path)), one.stat()) for one in files)
    return ";".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)
