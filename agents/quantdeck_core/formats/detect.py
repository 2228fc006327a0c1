"""Which kind of checkpoint a folder or a file is."""

from __future__ import annotations

from quantdeck_core.formats.checkpoint import Checkpoint, Problem
from quantdeck_core.formats.errors import AmbiguousError, CheckpointError, UnknownFormatError
from quantdeck_core.formats.fields import shown
from quantdeck_core.formats.gguf_header import MAGIC
from quantdeck_core.formats.gguf_model import SPLIT, read_gguf
from quantdeck_core.formats.hf_model import read_hf
from quantdeck_core.formats.source import Source

SIZE_LIMIT = 1 << 50
"""Bytes of one file: 1 PiB. Sums stay integers that JSON can carry."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

_OLD_GGML = (b"ggml", b"lmgg", b"ggmf", b"fmgg", b"ggjt", b"tjgg", b"ggla", b"algg")
_LFS = b"version https://git-lfs"


def detect(source: Source) -> Checkpoint:
    """What the files of a source are.

    Raises:
        UnknownFormatError: nothing known is there; the detail says what was looked for.
        AmbiguousError: several models are.
        CheckpointError: what is there is broken.
    """
    files = source.files()
    if large := next((name for name, size in files.items() if size > SIZE_LIMIT), None):
        raise CheckpointError(f"{shown(large)} has more than 1 PiB.", "Look at what the file is.")
    if len(files) == 1:
        return _one_file(source, next(iter(files)))
    safetensors = _model_files(list(files))
    if safetensors:
        _refuse_pointer(source, safetensors[0])
        return read_hf(source, safetensors)
    ggufs = sorted(name for name in files if name.endswith(".gguf") and not name.startswith("mmproj"))
    models = sorted({match["stem"] if (match := SPLIT.match(name)) else name for name in ggufs})
    if len(models) > 1:
        raise AmbiguousError(
            f"The folder holds {len(models)} GGUF models: {', '.join(map(shown, models[:5]))}.",
            "Name one of the files.",
        )
    if ggufs:
        return _one_file(source, ggufs[0])
    pickles = {name: files[name] for name in sorted(files) if name.endswith(PICKLES) and _is_pickle(source, name)}
    if pickles:
        return _pickle(pickles)
    raise _unknown(f"none of its {len(files)} files is one" if files else "it is empty")


def _model_files(names: list[str]) -> list[str]:
    """Safetensors files of one model: Mistral publishes the same weights again as `consolidated`."""
    found = sorted(name for name in names if name.endswith(".safetensors"))
    usual = [name for name in found if not name.startswith("consolidated")]
    return usual or found


def _one_file(source: Source, name: str) -> Checkpoint:
    _refuse_pointer(source, name)
    head = source.read(name, 0, 16)
    if head[:4] == MAGIC:
        return read_gguf(source, name)
    if head[:4] in _OLD_GGML:
        raise UnknownFormatError(
            f"{shown(name)} is a ggml file from before GGUF (August 2023), which no engine loads any more.",
            "Convert the original model again with convert_hf_to_gguf.py.",
        )
    if name.endswith(".safetensors") or head[8:10] in (b'{"', b"{}", b"{ "):
        return read_hf(source, [name])
    if _is_pickle(source, name):
        return _pickle({name: source.files()[name]})
    if name.endswith(".gguf"):
        return read_gguf(source, name)
    raise _unknown(f"{shown(name)} begins with {head[:8].hex(' ')}" if head else f"{shown(name)} is empty")


def _refuse_pointer(source: Source, name: str) -> None:
    if source.read(name, 0, len(_LFS)) == _LFS:
        raise CheckpointError(
            f"{shown(name)} is a Git LFS pointer: the weights themselves were not downloaded.",
            "Run `git lfs pull` in the clone, or download with `hf download`.",
        )


def _is_pickle(source: Source, name: str) -> bool:
    """PyTorch writes a zip file since 1.6 and a bare pickle before."""
    head = source.read(name, 0, 4)
    return head == b"PK\x03\x04" or (head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def _pickle(files: dict[str, int]) -> Checkpoint:
    first = shown(next(iter(files)))
    return Checkpoint(
        format="pickle",
        label="PyTorch pickle",
        weights_bytes=sum(files.values()),
        files=len(files),
        problems=(
            Problem(
                code="pickle",
                detail=f"{first} is a PyTorch pickle: loading it can execute any code that its author put into it.",
                hint="Take the model's safetensors, or convert it in a sandbox without network with safetensors.",
                blocks=True,
            ),
        ),
    )


def _unknown(why: str) -> UnknownFormatError:
    return UnknownFormatError(
        f"No checkpoint here: {why}. Looked for *.safetensors (with config.json), *.gguf, and PyTorch pickles "
        f"({', '.join('*' + suffix for suffix in PICKLES)}).",
        "Name a GGUF file, or the folder that holds config.json and the weights.",
    )
