"""Which files below a model root are models: those that were placed there, and those that people put there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from quantdeck_core.artifacts.manifest import Kind
from quantdeck_core.formats.gguf_model import SPLIT

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def discover(files: Iterable[str], recorded: Collection[str] = ()) -> dict[str, Kind]:
    """Name -> kind.

    A folder with `config.json`, weights or a split GGUF is one model, with all that lies below it; any other `.gguf` is
    one by itself. What was recorded as a model stays one.

    Args:
        files: paths relative to the root.
        recorded: names that were placed or verified before, whatever is in them.
    """
    paths = sorted(files)
    known = set(recorded)
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(name)
    whole = {folder for folder, names in folders.items() if folder and _is_model(names)} | known
    found: dict[str, Kind] = {}
    for path in paths:
        if path in known:
            found[path] = "file"
        elif top := next((above for above in _above(path) if above in whole), None):
            found[top] = "folder"
        elif path.endswith(".gguf"):
            found[path] = "file"
    return found


def _above(path: str) -> Iterable[str]:
    """Its folders, outermost first."""
    return (path[:index] for index, char in enumerate(path) if char == "/")


def _is_model(names: list[str]) -> bool:
    return "config.json" in names or any(name.endswith(_WEIGHTS) or SPLIT.match(name) for name in names)
