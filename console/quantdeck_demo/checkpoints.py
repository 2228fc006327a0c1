"""Which checkpoints the demo serves: made on the spot, or the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quantdeck_core.errors import InputError, NotFoundError
from quantdeck_demo.place import cache_folder


class MissingPackageError(InputError):
    """Something that the demo needs is not installed."""

    code = "demo-extra-missing"
    title = "The demo's packages are not installed"


@dataclass(frozen=True)
class Models:
    """Three checkpoints below one root, which becomes the agents' model root."""

    root: Path
    control: Path
    treatment: Path
    damaged: Path


@dataclass(frozen=True)
class OwnModels:
    """Checkpoints of the user's; the treatment's is the control's where only one is given: both then answer alike."""

    control: Path
    treatment: Path

    @classmethod
    def checked(cls, control: Path | None, treatment: Path | None) -> OwnModels | None:
        """What was given on the command line, None for nothing.

        Raises:
            NotFoundError, InputError: a file is not there, or not GGUF, or the control's is missing.
        """
        if treatment and not control:
            raise InputError("--treatment-model needs --model.", "Give the unquantized one too: it is the control.")
        for given in (control, treatment):
            if given is not None:
                _check(given)
        return cls(control.resolve(), (treatment or control).resolve()) if control else None


def prepare_models(own: OwnModels | None, say: Callable[[str], None]) -> Models:
    """Make what is not given.

    Raises:
        MissingPackageError: the extra `demo` is not installed.
    """
    try:
        from quantdeck_demo.model import make_models
    except ImportError as error:
        raise MissingPackageError(
            f"{error.name} is not installed.", "Install the extra: pip install 'quantdeck[demo]'."
        ) from None
    folder = cache_folder().resolve()
    made = make_models(folder, progress=say)
    if own is None:
        return Models(folder, made["f16"], made["q8_0"], made["damaged"])
    root = Path(os.path.commonpath([own.control.parent, own.treatment.parent, folder]))
    return Models(root, own.control, own.treatment, made["damaged"])


def _check(path: Path) -> None:
    if not path.is_file():
        raise NotFoundError(f"There is no model file {path}.", "Check the path after --model.")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError(f"{path} is not a GGUF file.", "The demo serves with llama.cpp: give it a .gguf.")
