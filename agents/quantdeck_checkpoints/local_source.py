"""A checkpoint on this machine's disk, as `quantdeck_core.formats` reads it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from quantdeck_core.errors import NotFoundError
from quantdeck_core.formats.errors import CheckpointError
from quantdeck_core.formats.gguf_model import SPLIT
from quantdeck_core.text import clean

ENTRIES_LIMIT = 20_000
"""Files of a folder that are looked at."""


class LocalSource:
    """A folder, without the folders in it; or one file with what belongs to it.

    Symbolic links are followed, because the Hugging Face cache consists of them; one that leads nowhere, or round in a
    circle, is no file. Devices and pipes are none either: opening one could wait for ever.

    Raises:
        NotFoundError: there is nothing at the path.
        CheckpointError: it cannot be opened, or is neither file nor folder.
    """

    def __init__(self, path: Path) -> None:
        named = clean(str(path), one_line=True)
        try:
            mode = path.stat().st_mode
            self._folder = path if stat.S_ISDIR(mode) else path.parent
            self._files = dict(_sizes(self._folder if stat.S_ISDIR(mode) else path))
        except FileNotFoundError:
            raise NotFoundError(f"There is nothing at {named}.", "Name a GGUF file or the folder of a model.") from None
        except (OSError, ValueError) as error:
            # ValueError: a null character in the path.
            raise CheckpointError(
                f"{named} cannot be read: {_why(error)}.", "Check the path and who may read it."
            ) from None
        if not stat.S_ISDIR(mode) and path.name not in self._files:
            raise CheckpointError(
                f"{named} is no file and no folder, or its name cannot be shown.",
                "Name a GGUF file or a model's folder.",
            )

    def files(self) -> Mapping[str, int]:
        """Name -> size in bytes."""
        return self._files

    def read(self, name: str, offset: int, length: int) -> bytes:
        """At most `length` bytes; fewer only where the file ends.

        Raises:
            CheckpointError: it cannot be read, or was not there when the folder was listed.
        """
        if name not in self._files:
            raise CheckpointError(f"There is no file {name!r}.")
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return os.pread(descriptor, length, offset)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CheckpointError(
                f"{name} cannot be read: {_why(error)}.", "Check who may read it, and the disk."
            ) from None


def _sizes(path: Path) -> Iterator[tuple[str, int]]:
    """Regular files of a folder; for a file, itself, the other parts of a split GGUF, the JSON beside safetensors.

    Files with control characters or broken encoding in their names are left out: no library writes such.
    """
    if path.is_dir():
        names = os.listdir(path)
        if len(names) > ENTRIES_LIMIT:
            raise CheckpointError(f"The folder has {len(names)} entries.", "Name the folder of one model.")
        folder = path
    else:
        folder, names = path.parent, _company(path)
    for name in names:
        try:
            status = (folder / name).stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and clean(name, one_line=True) == name:
            yield name, status.st_size


def _company(path: Path) -> list[str]:
    if match := SPLIT.match(path.name):
        stem, parts = match["stem"], match["parts"]
        beside = (name for name in os.listdir(path.parent) if (other := SPLIT.match(name)) and other["stem"] == stem)
        return [name for name in beside if name.endswith(f"-of-{parts}.gguf")]
    if path.suffix == ".safetensors":
        beside = (
            name for name in os.listdir(path.parent) if name.endswith(".json") and not name.endswith("index.json")
        )
        return [path.name, *beside]
    return [path.name]


def _why(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
