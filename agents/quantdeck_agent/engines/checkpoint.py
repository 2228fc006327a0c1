"""The file that an engine is asked to load: below the model root, there, and what it claims to be."""

from __future__ import annotations

import hashlib
from pathlib import Path

from quantdeck_core.errors import InputError, NotFoundError


class ModelPathError(InputError):
    """A model path that leads out of the model root, or a file that is no checkpoint."""

    code = "bad-model-path"
    title = "Cannot use this model"


class ModelMissingError(NotFoundError):
    """There is no such file."""

    code = "model-missing"
    title = "Model not found"


def resolve_model(root: Path, name: str) -> Path:
    """The checkpoint's real path.

    Raises:
        ModelPathError: outside the root, also through a symbolic link, or not a GGUF file.
        ModelMissingError: not there; the hint names what is.
    """
    real_root = root.resolve()
    path = (real_root / name).resolve()
    if not path.is_relative_to(real_root):
        raise ModelPathError(
            f"{name!r} leads out of the model root {root}.", "Put the checkpoint below the model root."
        )
    if not path.is_file():
        there = sorted(str(p.relative_to(real_root)) for p in real_root.glob("**/*.gguf"))[:5]
        known = f"There is: {', '.join(there)}." if there else "The model root holds no .gguf file."
        raise ModelMissingError(f"There is no model {name!r} below {root}.", known)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelPathError(
                f"{path.name} is not a GGUF file.", "xllamacpp serves GGUF only: convert the checkpoint."
            )
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hex; reads all of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
