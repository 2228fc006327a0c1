"""`quantdeck plan PROFILE|PATH`: does it fit, how often, and what would make it fit."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator
from pathlib import Path

from quantdeck_console.commands.common import emit, parser_for, positive
from quantdeck_console.device_source import add_devices_option, load_devices
from quantdeck_console.plan_report import Report, report_lines
from quantdeck_console.plan_request import Subject, parse_size, serving_of, site_of, subject_of
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import judge
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.errors import ExitCode
from quantdeck_core.formats.checkpoint import Checkpoint, Problem
from quantdeck_core.hardware.device import Devices
from quantdeck_core.memory.advice import advise
from quantdeck_core.memory.change import changes
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.plan import Plan, plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving
from quantdeck_core.text import clean
from quantdeck_profiles import data


def main(argv: list[str]) -> int:
    """Plan from headers; 0 when it fits or no device was named, 3 when it does not."""
    options = _parser().parse_args(argv)
    devices = load_devices(options.devices)
    site = site_of(options.gpu, devices, options.memory) if options.gpu else None
    subject = subject_of(options.subject, options.models)
    report = _report(subject, serving_of(options, subject, site.device if site else None), site, devices)
    emit(options.json, report, report_lines(report))
    return ExitCode.NO if report.fits is False or report.problems else ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("plan", "Whether a checkpoint fits, how often, and what would make it fit.", fleet=False)
    parser.add_argument("subject", metavar="PROFILE|PATH", help="a profile, a GGUF file, or a model's folder")
    parser.add_argument("--gpu", metavar="NAME[:COUNT]", help="where, e.g. a100-80gb:4, jetson-orin-64gb, cpu")
    parser.add_argument("--engine", help="default: the profile's; llama-server for a GGUF, else vllm")
    parser.add_argument("--max-model-len", type=positive, metavar="N", help="tokens of one sequence")
    parser.add_argument("--max-num-seqs", type=positive, metavar="N", help="sequences that must all have room")
    parser.add_argument("--tp", type=positive, metavar="N", help="GPUs that share every layer")
    parser.add_argument("--pp", type=positive, metavar="N", help="GPUs, or groups of --tp, that have different layers")
    parser.add_argument("--replicas", type=positive, metavar="N", help="instances at the same time")
    parser.add_argument("--gpu-memory-utilization", type=_share, metavar="X", help="share of a GPU that vLLM books")
    parser.add_argument("--kv-dtype", metavar="D", help="of the KV cache: auto, fp8 (vLLM), q8_0, q4_0 (llama.cpp)")
    parser.add_argument("--memory", type=parse_size, metavar="SIZE", help="RAM, e.g. 64GiB (default: this machine's)")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="where profiles find their models")
    add_devices_option(parser)
    return parser


def _report(subject: Subject, serving: Serving, site: Site | None, devices: Devices) -> Report:
    given = parse_estimates(data.text("memory"))
    one = plan(subject.checkpoint, serving, site, given)
    refused = tuple(_refusals(subject.checkpoint, serving.engine, site))
    planner = functools.partial(plan, given=given)
    return Report(
        **{name: getattr(one, name) for name in Plan.__struct_fields__ if name != "problems"},
        subject=clean(subject.title, one_line=True),
        label=subject.checkpoint.label,
        problems=(*refused, *one.problems),
        advice=advise(one, subject.checkpoint, serving, site),
        changes=changes(planner, subject.checkpoint, serving, site, tuple(devices)) if site and not one.fits else (),
    )


def _refusals(checkpoint: Checkpoint, engine: str, site: Site | None) -> Iterator[Problem]:
    """Why the engine would not load it, however much memory there is."""
    rules = parse_rules(data.text("compatibility"))
    one = rules.engine_named(engine)
    verdict = judge(rules, checkpoint, one, site.device if site else None)
    verdict = with_architecture(verdict, parse_architectures(data.text("architectures")), checkpoint, one)
    if verdict.verdict == "refused":
        yield Problem(code="refused", detail=f"{engine}: {verdict.reason}", hint=verdict.hint, blocks=True)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value
