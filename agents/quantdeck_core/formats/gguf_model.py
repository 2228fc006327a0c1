"""A GGUF file, or the parts of a split one, as a checkpoint."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from quantdeck_core.formats.checkpoint import Checkpoint, Problem, Provenance, shape_fields
from quantdeck_core.formats.errors import DOWNLOAD_AGAIN
from quantdeck_core.formats.fields import Json, integer, positive, shown, text
from quantdeck_core.formats.gguf_cursor import Budget
from quantdeck_core.formats.gguf_header import GgufHeader, read_header
from quantdeck_core.formats.gguf_name import contradicts, dominant_type, quantization_name
from quantdeck_core.formats.gguf_repack import CPUS, weights_on_cpu
from quantdeck_core.formats.gguf_shape import read_shape
from quantdeck_core.formats.source import Source

SPLIT = re.compile(r"^(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf$")
"""The name of one part, as llama-gguf-split writes it; parts count from 1."""
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
PARTS_LIMIT = 1024
"""Parts that are opened."""


def read_gguf(source: Source, name: str) -> Checkpoint:
    """The checkpoint that begins with, or has as a part, the file `name`.

    Raises:
        GgufError: a part cannot be read.
        ConfigError: a number in the metadata is none.
    """
    names, problems = _parts(source, name)
    budget = Budget()
    headers = [read_header(source, part, budget) for part in names]
    first, tensors = headers[0], [tensor for header in headers for tensor in header.tensors]
    problems += _split_problems(headers, names)
    body: Json = first.metadata
    if body.get("general.type") in ("mmproj", "adapter") or not tensors:
        what = shown(str(body.get("general.type", ""))) if tensors else "file without tensors"
        problems.append(
            Problem(
                code="no-model",
                detail=f"{names[0]} is no language model ({what}).",
                hint="Name the model that it belongs to.",
                blocks=True,
            )
        )
    file_type = body.get("general.file_type")
    quantization = quantization_name(tensors, file_type)
    if quantization and (said := contradicts(quantization, file_type)):
        problems.append(
            Problem(
                code="file-type-wrong",
                detail=f"general.file_type says {said}, but most matrices are {quantization}.",
                hint="The tensors count; whoever wrote the file left a wrong summary.",
            )
        )
    kind = dominant_type(tensors)
    by_type: Counter[str] = Counter()
    for tensor in tensors:
        by_type[tensor.kind.name] += tensor.size
    return Checkpoint(
        format="gguf",
        label=f"GGUF {quantization}" if quantization else "GGUF",
        scheme=quantization,
        bits=kind.bits if kind else None,
        parameters=sum(tensor.elements for tensor in tensors),
        weights_bytes=sum(tensor.size for tensor in tensors),
        tensor_bytes=dict(by_type.most_common()),
        layers_bytes=sum(tensor.size for tensor in tensors if tensor.name.startswith("blk.")),
        embedding_bytes=sum(tensor.size for tensor in tensors if tensor.name == _EMBEDDING),
        resident_bytes={cpu.name: sum(weights_on_cpu(one.tensors, cpu).total for one in headers) for cpu in CPUS},
        tied=not any(tensor.name == _OUTPUT for tensor in tensors),
        files=len(names),
        provenance=_provenance(body),
        problems=tuple(problems),
        **shape_fields(read_shape(body, tensors)),
    )


def _parts(source: Source, name: str) -> tuple[list[str], list[Problem]]:
    """The files of a split model that are there, in order, and what is missing."""
    match = SPLIT.match(name)
    if match is None:
        return [name], []
    total = int(match["parts"])
    wanted = [f"{match['stem']}-{part:05}-of-{match['parts']}.gguf" for part in range(1, min(total, PARTS_LIMIT) + 1)]
    there = [part for part in wanted if part in source.files()]
    if len(there) == total:
        return there, []
    missing = next((part for part in wanted if part not in source.files()), "more than can be opened")
    problem = Problem(
        code="shard-missing",
        detail=f"{total - len(there)} of {total} parts are missing, the first is {shown(missing)}.",
        hint="Put all parts into one folder, under the names that they were published with.",
        blocks=True,
    )
    return there or [name], [problem]


def _split_problems(headers: list[GgufHeader], names: list[str]) -> list[Problem]:
    """Whether the parts are those of one model: the numbers inside agree with the names."""
    said = integer(headers[0].metadata, "split.count") or 0
    by_name = SPLIT.match(names[0])
    named = int(by_name["parts"]) if by_name else 1
    if said > 1 and said != named:
        return [
            Problem(
                code="split-name",
                detail=f"{names[0]} is part of a model split into {said}, but its name does not say so.",
                hint="Name the parts as llama-gguf-split does (`name-00001-of-00003.gguf`): llama.cpp looks for that.",
                blocks=True,
            )
        ]
    total = integer(headers[0].metadata, "split.tensors.count")
    found = sum(len(header.tensors) for header in headers)
    if total is not None and len(names) == named and total != found:
        return [
            Problem(
                code="split-mixed",
                detail=f"The parts hold {found} tensors, the first says {total}.",
                hint=DOWNLOAD_AGAIN,
                blocks=True,
            )
        ]
    return []


def _provenance(body: Json) -> Provenance | Literal["unknown"]:
    """What llama-quantize noted about its importance matrix."""
    dataset, chunks = text(body, "quantize.imatrix.dataset"), positive(body, "quantize.imatrix.chunks_count")
    if dataset is None and chunks is None:
        return "unknown"
    return Provenance(
        tool="llama-quantize with an importance matrix",
        calibration_set=dataset or "unknown",
        samples=chunks or "unknown",
    )
