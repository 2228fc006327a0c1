"""`quantdeck check PATH`: what a checkpoint is, and which engines can serve it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantdeck_console.commands.common import emit, parser_for, wrapped
from quantdeck_console.device_source import add_devices_option, load_devices
from quantdeck_console.local_source import LocalSource
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import Verdict, judge, judge_all
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.compat.to_gguf import Conversion, to_gguf
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.cells import NONE, count, plural, size
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.text import clean
from quantdeck_profiles import data


class Report(Checkpoint, frozen=True, kw_only=True):
    """The checkpoint and the verdicts: what `--json` prints."""

    path: str
    gpu: str | None = None
    engines: tuple[Verdict, ...] = ()
    to_gguf: Conversion


def main(argv: list[str]) -> int:
    """Read headers, apply the rules; 0 when an engine (or the one that was asked for) does not refuse."""
    parser = parser_for("check", "What a checkpoint is and which engines can serve it, from its headers.", fleet=False)
    parser.add_argument("path", type=Path, help="a GGUF file, or the folder with config.json and safetensors")
    parser.add_argument("--engine", help="only this engine decides, e.g. vllm, llama-server")
    parser.add_argument("--gpu", help="on this device, e.g. a100-80gb, t4, cpu")
    add_devices_option(parser)
    options = parser.parse_args(argv)

    rules = parse_rules(data.text("compatibility"))
    device = load_devices(options.devices).named(options.gpu) if options.gpu is not None else None
    engine = rules.engine_named(options.engine) if options.engine is not None else None
    known = parse_architectures(data.text("architectures"))
    found = detect(LocalSource(options.path))
    verdicts = judge_all(rules, found, device) if engine is None else (judge(rules, found, engine, device),)
    verdicts = tuple(with_architecture(one, known, found, rules.engine_named(one.engine)) for one in verdicts)
    report = Report(
        **{name: getattr(found, name) for name in found.__struct_fields__},
        path=clean(str(options.path), one_line=True),
        gpu=device.name if device else None,
        engines=verdicts,
        to_gguf=to_gguf(found, known),
    )
    emit(options.json, report, _lines(report))
    return ExitCode.NO if all(verdict.verdict == "refused" for verdict in verdicts) else ExitCode.DONE


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.path}: {report.label}"
    for name, value in _facts(report):
        yield f"  {name:<13} {value}"
    yield ""
    width = max(len("engine"), *(len(verdict.engine) for verdict in report.engines))
    yield f"{'engine':<{width}}  {'verdict':<7}  on {report.gpu or 'any device'}"
    indent = " " * (width + 11)
    for one in report.engines:
        yield from wrapped(f"{one.engine:<{width}}  {one.verdict:<7}  {one.reason} {one.consequence}", indent)
        if one.hint and one.verdict != "ok":
            yield from wrapped(f"{indent}next: {one.hint}", indent + "      ")
    if report.format != "gguf":
        yield ""
        yield from wrapped(f"to GGUF  {report.to_gguf.verdict}: {report.to_gguf.reason}", indent)
        for number, step in enumerate(report.to_gguf.steps, 1):
            yield from wrapped(f"         {number}. {step}", "            ")
    if report.problems:
        yield ""
        yield "problems"
    for problem in report.problems:
        yield from wrapped(f"  {problem.detail}", "    ")
        yield from wrapped(f"    next: {problem.hint}", "          ")


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    heads = f"{_number(report.heads)} ({_number(report.kv_heads)} KV) of {_number(report.head_dim)}"
    yield "architecture", f"{report.architecture or NONE}, {_number(report.layers)} layers, heads {heads}"
    yield "context", f"{_number(report.context_length)} tokens{_attention(report)}"
    yield "parameters", _number(report.parameters)
    yield "weights", f"{size(report.weights_bytes)} in {plural(report.files, 'file')}: {_types(report)}"
    yield "quantized by", report.provenance if isinstance(report.provenance, str) else _provenance(report)


def _attention(report: Report) -> str:
    if report.mla:
        return f", latent attention (MLA, {_number(report.kv_lora_rank)} a token and layer)"
    return f", sliding window of {_number(report.sliding_window)}" if report.sliding_window else ""


def _types(report: Report) -> str:
    largest = list(report.tensor_bytes.items())[:4]
    return ", ".join(f"{clean(kind, one_line=True)} {size(amount)}" for kind, amount in largest) or NONE


def _provenance(report: Report) -> str:
    known = msgspec.to_builtins(report.provenance)
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in known.items() if value != "unknown")


def _number(value: int | None) -> str:
    return NONE if value is None else count(value)
