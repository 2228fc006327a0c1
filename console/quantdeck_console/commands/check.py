"""`quantdeck check PATH`: what a checkpoint is, and which engines can serve it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_console.commands.common import emit, parser_for, wrapped
from quantdeck_console.device_source import add_devices_option, load_devices
from quantdeck_console.host_source import hardware_of_host
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import Verdict, judge_any
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.compat.to_gguf import Conversion, to_gguf
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.cells import NONE, count, plural, size
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.hardware.device import Device, Devices
from quantdeck_core.text import clean
from quantdeck_profiles import data


class Report(Checkpoint, frozen=True, kw_only=True):
    """The checkpoint and the verdicts: what `--json` prints.

    Attributes:
        gpu: the device; of a host with several kinds of them, all.
        host: whose devices these are.
    """

    path: str
    gpu: str | None = None
    host: str | None = None
    engines: tuple[Verdict, ...] = ()
    to_gguf: Conversion


def main(argv: list[str]) -> int:
    """Read headers, apply the rules; 0 when an engine (or the one that was asked for) does not refuse."""
    parser = parser_for("check", "What a checkpoint is and which engines can serve it, from its headers.")
    parser.add_argument("path", type=Path, help="a GGUF file, or the folder with config.json and safetensors")
    parser.add_argument("--engine", help="only this engine decides, e.g. vllm, vllm@0.23.0, llama-server@b6096")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--gpu", help="on this device, e.g. a100-80gb, t4, cpu")
    place.add_argument("--host", help="on the hardware of this host of the fleet")
    add_devices_option(parser)
    options = parser.parse_args(argv)

    rules = parse_rules(data.text("compatibility"))
    engines = rules.engine if options.engine is None else (rules.engine_named(options.engine),)
    devices = _devices(options, load_devices(options.devices))
    found = detect(LocalSource(options.path))
    known = parse_architectures(data.text("architectures"))
    judged = ((engine, judge_any(rules, found, engine, devices or (None,))) for engine in engines)
    verdicts = tuple(with_architecture(verdict, known, found, engine) for engine, verdict in judged)
    report = Report(
        **{name: getattr(found, name) for name in found.__struct_fields__},
        path=clean(str(options.path), one_line=True),
        gpu=", ".join(device.name for device in devices) or None,
        host=options.host,
        engines=verdicts,
        to_gguf=to_gguf(found, known),
    )
    emit(options.json, report, _lines(report))
    return ExitCode.NO if all(verdict.verdict == "refused" for verdict in verdicts) else ExitCode.DONE


def _devices(options: argparse.Namespace, known: Devices) -> tuple[Device, ...]:
    """What the options name; empty for any device."""
    if options.gpu is not None:
        return (known.named(options.gpu),)
    if options.host is None:
        return ()
    return tuple(one.device for one in hardware_of_host(options, known).devices)


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.path}: {report.label}"
    for name, value in _facts(report):
        yield f"  {name:<13} {value}"
    yield ""
    width = max(len("engine"), *(len(verdict.engine) for verdict in report.engines))
    where = f"{report.host}: {report.gpu}" if report.host else report.gpu or "any device"
    yield f"{'engine':<{width}}  {'verdict':<7}  on {where}"
    indent = " " * (width + 11)
    for one in report.engines:
        yield from wrapped(f"{one.engine:<{width}}  {one.verdict:<7}  {one.reason} {one.consequence}", indent)
        if one.hint and one.verdict != "ok":
            yield from wrapped(f"{indent}next: {one.hint}", indent + "      ")
    if report.format != "gguf":
        yield ""
        yield from wrapped(f"to GGUF  {report.to_gguf.verdict}: {report.to_gguf.reason}", " " * 9)
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
