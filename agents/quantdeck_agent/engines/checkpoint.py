"""The checkpoint that an engine is asked to load: below the model root, there, and of a kind that it can load."""

from __future__ import annotations

from pathlib import Path

from quantdeck_core.engines.interface import INTERFACES
from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_core.profile.names import EngineKind

_LISTED = 5


class ModelPathError(InputError):
    """A model path that leads out of the model root, or a file that is no checkpoint."""

    code = "bad-model-path"
    title = "Cannot use this model"


class ModelMissingError(NotFoundError):
    """There is no such file."""

    code = "model-missing"
    title = "Model not found"


def resolve_model(root: Path, name: str, engine: EngineKind) -> Path:
    """The checkpoint's real path.

    Raises:
        ModelPathError: outside the root, also through a symbolic link, or not what this engine loads.
        ModelMissingError: not there; the hint names what is.
    """
    real_root = root.resolve()
    path = (real_root / name).resolve()
    if not path.is_relative_to(real_root):
        raise ModelPathError(
            f"{name!r} leads out of the model root {root}.", "Put the checkpoint below the model root."
        )
    wants = INTERFACES[engine].checkpoint
    if not path.exists():
        there = _there(real_root, "**/*.gguf" if wants == "gguf" else "**/config.json")
        known = f"There is: {', '.join(there)}." if there else "The model root holds none that it could load."
        raise ModelMissingError(f"There is no model {name!r} below {root}.", known)
    if wants == "folder":
        if not (path / "config.json").is_file():
            raise ModelPathError(
                f"{name} is no folder with a config.json.", f"{engine} loads a folder as Hugging Face writes it."
            )
        return path
    if not path.is_file() or _beginning(path) != b"GGUF":
        raise ModelPathError(f"{path.name} is not a GGUF file.", f"{engine} serves GGUF only: convert the checkpoint.")
    return path


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _there(root: Path, pattern: str) -> list[str]:
    found = sorted(root.glob(pattern))[:_LISTED]
    return [str((one.parent if one.name == "config.json" else one).relative_to(root)) for one in found]
