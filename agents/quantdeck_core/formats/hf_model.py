"""A folder of safetensors with its configuration as a checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from quantdeck_core.formats.census import Census
from quantdeck_core.formats.checkpoint import Checkpoint, Format, Problem, shape_fields
from quantdeck_core.formats.errors import DOWNLOAD_AGAIN, CheckpointError, ConfigError
from quantdeck_core.formats.fields import Json, section, shown
from quantdeck_core.formats.hf_config import read_shape, remote_code
from quantdeck_core.formats.hf_quantization import Declared, declared
from quantdeck_core.formats.quantization import Quantization
from quantdeck_core.formats.safetensors_header import read_tensors
from quantdeck_core.formats.source import Source, read_json

INDEX = "model.safetensors.index.json"
SHARDS_LIMIT = 4096
HEADERS_LIMIT = 128 << 20
"""Bytes of all headers together; a checkpoint with 100,000 tensors has about 12 MB."""
TENSORS_LIMIT = 1 << 19
"""Tensors of all files together, so that time is bounded."""

_BY_SUFFIX: dict[str, Quantization] = {
    ".qweight": Quantization(format="gptq", label="GPTQ or AWQ, undeclared"),
    ".weight_packed": Quantization(format="compressed-tensors", label="compressed-tensors, undeclared"),
    "_blocks": Quantization(format="mxfp4", label="MXFP4, undeclared", scheme="mxfp4", bits=4),
    ".weight_scale_inv": Quantization(format="fp8", label="FP8, undeclared", scheme="fp8", bits=8),
}
"""What tensors are called that only one library writes: for folders whose configuration says nothing."""


def read_hf(source: Source, shards: Collection[str]) -> Checkpoint:
    """The checkpoint in the given safetensors files.

    Raises:
        SafetensorsError, ConfigError, UnknownFormatError: a file cannot be read.
    """
    files = source.files()
    config = read_json(source, "config.json") if "config.json" in files else {}
    found = declared(source, config)
    census = Census(found.quantization.bits if found else None)
    problems = [*(found.problems if found else ()), *_config_problems(files, config)]
    wanted, index_problems = _shards(source, shards)
    problems += index_problems
    problems += _count(source, wanted, census)
    quantization, more = _settled(found, census)
    problems += more
    return Checkpoint(
        **msgspec.structs.asdict(quantization),
        declared_in=found.where if found else None,
        side_tensors=tuple(sorted(census.side_tensors)),
        parameters=census.parameters,
        weights_bytes=census.weights_bytes,
        tensor_bytes=dict(census.by_type.most_common()),
        files=len(wanted),
        remote_code=bool(remote_code(config)),
        provenance=found.provenance if found else "unknown",
        problems=tuple(problems),
        **shape_fields(read_shape(config)),
    )


def _shards(source: Source, found: Collection[str]) -> tuple[Mapping[str, set[str]], list[Problem]]:
    """File -> tensors that the index expects in it (empty without an index), for the files that are there."""
    if INDEX not in source.files():
        if len(found) > SHARDS_LIMIT:
            raise CheckpointError(f"The folder holds {len(found)} safetensors files.", "Name the folder of one model.")
        return {name: set() for name in sorted(found)}, []
    shards: dict[str, set[str]] = {}
    for tensor, file in section(read_json(source, INDEX), "weight_map").items():
        if not isinstance(file, str):
            raise ConfigError(f"{INDEX} names no file for {shown(tensor)!r}.", DOWNLOAD_AGAIN)
        shards.setdefault(file, set()).add(tensor)
    if not shards or len(shards) > SHARDS_LIMIT:
        raise ConfigError(f"{INDEX} names {len(shards)} files.", DOWNLOAD_AGAIN)
    missing = sorted(shards.keys() - source.files().keys())
    problems = []
    if missing:
        problems.append(
            Problem(
                code="shard-missing",
                detail=f"{len(missing)} of {len(shards)} files are missing, the first is {shown(missing[0])}.",
                hint=DOWNLOAD_AGAIN,
                blocks=True,
            )
        )
    return {name: shards[name] for name in sorted(shards.keys() - set(missing))}, problems


def _count(source: Source, shards: Mapping[str, set[str]], census: Census) -> list[Problem]:
    headers, count = 0, 0
    absent: list[str] = []
    for name, expected in shards.items():
        headers += int.from_bytes(source.read(name, 0, 8), "little")
        if len(shards) > 1 and headers > HEADERS_LIMIT:
            raise CheckpointError(f"The headers of all files have more than {HEADERS_LIMIT} bytes.", DOWNLOAD_AGAIN)
        tensors = read_tensors(source, name)
        count += len(tensors)
        if count > TENSORS_LIMIT:
            raise CheckpointError(f"The files have more than {TENSORS_LIMIT} tensors; no model has.", DOWNLOAD_AGAIN)
        census.add(tensors)
        absent += sorted(expected - tensors.keys())[:1]
    if not absent:
        return []
    return [
        Problem(
            code="tensor-missing",
            detail=f"The index promises tensors that {len(absent)} files do not hold, e.g. {shown(absent[0])}.",
            hint="The files are of different downloads or versions: fetch all of them again.",
            blocks=True,
        )
    ]


def _config_problems(files: Mapping[str, int], config: Json) -> list[Problem]:
    problems = []
    if "adapter_config.json" in files and "config.json" not in files:
        problems.append(
            Problem(
                code="adapter",
                detail="This is an adapter (LoRA), not a model.",
                hint="Check the model that it was trained on; an engine loads the adapter beside it.",
                blocks=True,
            )
        )
    elif "config.json" not in files:
        problems.append(
            Problem(
                code="config-missing",
                detail="There is no config.json beside the weights: an engine cannot know the architecture.",
                hint="Copy config.json and the tokenizer's files from the model's source.",
                blocks=True,
            )
        )
    if code := remote_code(config):
        problems.append(
            Problem(
                code="remote-code",
                detail=f"Its configuration wants Python code from the checkpoint to be run: {', '.join(code[:3])}.",
                hint="trust_remote_code stays false: read the code, or use an engine that knows the architecture.",
            )
        )
    return problems


def _settled(found: Declared | None, census: Census) -> tuple[Quantization, list[Problem]]:
    """The declared quantization, held against the tensors; where nothing is declared, what the tensors say."""
    if found is not None:
        packs = found.quantization.format in ("gptq", "awq")
        if not packs or ".qweight" in census.suffixes or not census.by_type:
            return found.quantization, []
        return found.quantization, [
            Problem(
                code="declared-not-stored",
                detail=f"The configuration declares {found.quantization.label}, but no tensor is packed (`.qweight`).",
                hint="Weights and configuration are of different models: fetch both from one source.",
                blocks=True,
            )
        ]
    for suffix, quantization in _BY_SUFFIX.items():
        if suffix in census.suffixes | census.side_tensors:
            problem = Problem(
                code="undeclared",
                detail=f"Tensors end in {suffix!r}, but nothing declares a quantization: engines would load garbage.",
                hint="Restore `quantization_config` in config.json from the model's source.",
                blocks=True,
            )
            return quantization, [problem]
    return _plain(census), []


def _plain(census: Census) -> Quantization:
    names = {"BF16": 16, "F16": 16, "F32": 32, "F64": 64, "F8_E4M3": 8, "F8_E5M2": 8}
    kind = next((dtype for dtype, _ in census.by_type.most_common()), None)
    plain: Format = "safetensors"
    if kind is None:
        return Quantization(format=plain, label="safetensors without tensors")
    word = kind.replace("F16", "FP16").replace("BFP16", "BF16").replace("F32", "FP32")
    return Quantization(format=plain, label=f"{word} safetensors", scheme=word.lower(), bits=names.get(kind))
