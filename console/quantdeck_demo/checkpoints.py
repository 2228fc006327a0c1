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


def prepare_models(control: Path | None, treatment: Path | None, say: Callable[[str], None]) -> Models:
    """Make what is not given.

    Args:
        control: a GGUF of the user's, instead of the tiny F16 one.
        treatment: its quantized copy; the control's file where not given, so that both arms answer alike.

    Raises:
        NotFoundError, InputError: a given file is not there, or not GGUF.
        MissingPackageError: the extra `demo` is not installed.
    """
    for given in (control, treatment):
        if given is not None:
            _check(given)
    if treatment and not control:
        raise InputError("--treatment-model needs --model.", "Give the unquantized one too: it is the control.")
    try:
        from quantdeck_demo.model import make_models
    except ImportError as error:
        raise MissingPackageError(
            f"{error.name} is not installed.", "Install the extra: pip install 'quantdeck[demo]'."
        ) from None
    made = make_models(cache_folder(), progress=say)
    if control is None:
        return Models(cache_folder().resolve(), made["f16"], made["q8_0"], made["damaged"])
    real = [path.resolve() for path in (control, treatment or control, made["damaged"])]
    root = Path(os.path.commonpath([path.parent for path in real]))
    return Models(root, *real)


def _check(path: Path) -> None:
    if not path.is_file():
        raise NotFoundError(f"There is no model file {path}.", "Check the path after --model.")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError(f"{path} is not a GGUF file.", "The demo serves with llama.cpp: give it a .gguf.")
