"""The variants of the demo model, and making their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from time import perf_counter

from quantdeck_demo.model.chain import transitions
from quantdeck_demo.model.corpus import sentences
from quantdeck_demo.model.damage import damaged
from quantdeck_demo.model.gguf_file import Quantization, recipe_of, write_gguf
from quantdeck_demo.model.vocabulary import vocabulary
from quantdeck_demo.model.weights import chain_weights

VARIANTS: tuple[str, ...] = ("f16", "q8_0", "damaged")
"""The control, a healthy treatment, and a treatment that loops."""


@dataclass(frozen=True)
class _Kind:
    quantization: Quantization
    is_damaged: bool = False


_KINDS = {
    "f16": _Kind("F16"),
    "q8_0": _Kind("Q8_0"),
    "q4_0": _Kind("Q4_0"),
    "damaged": _Kind("Q8_0", is_damaged=True),
}


def make_models(
    directory: Path, variants: Sequence[str] = VARIANTS, progress: Callable[[str], None] | None = None
) -> dict[str, Path]:
    """Make `demo-<variant>.gguf` for each variant that is missing, incomplete or made from other inputs.

    Args:
        directory: made where it is missing.
        variants: those of `VARIANTS`, or "q4_0", a coarser copy.
        progress: called with one line of text for each file.

    Returns:
        variant -> path, in the order asked for.

    Raises:
        ValueError: no such variant; nothing was made.
        OSError: a file cannot be written; files made before stay.
    """
    if unknown := [variant for variant in variants if variant not in _KINDS]:
        raise ValueError(f"no such variant: {', '.join(unknown)}; there are {', '.join(_KINDS)}")
    directory.mkdir(parents=True, exist_ok=True)
    report = progress or (lambda _: None)
    inputs = _digest_of_inputs()
    paths: dict[str, Path] = {}
    for variant in variants:
        path = paths[variant] = directory / f"demo-{variant}.gguf"
        recipe = f"{variant} {inputs}"
        if recipe_of(path) == recipe:
            report(f"{path.name} is there already")
            continue
        began = perf_counter()
        _make(path, variant, recipe)
        report(f"{path.name} made: {path.stat().st_size / 1e6:.1f} MB in {perf_counter() - began:.2f} s")
    return paths


def _make(path: Path, variant: str, recipe: str) -> None:
    kind, words = _KINDS[variant], vocabulary()
    weights = chain_weights(words, transitions(words, sentences()))
    if kind.is_damaged:
        weights = damaged(weights, words)
    write_gguf(path, weights, words, kind.quantization, name=f"Demo chain of words, {variant}", recipe=recipe)


def _digest_of_inputs() -> str:
    """Of the texts, of this package's code and of the quantizer: whatever could change a file's bytes."""
    digest = sha256(version("gguf").encode())
    for entry in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".txt")):
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return digest.hexdigest()[:16]
