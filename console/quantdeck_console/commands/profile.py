"""`quantdeck profile list | show | validate | render | new`."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

import quantdeck_profiles
from quantdeck_console.commands.common import emit
from quantdeck_console.device_source import add_devices_option, load_devices
from quantdeck_console.profile_draft import draft
from quantdeck_console.profile_rendering import render
from quantdeck_console.profile_source import load_profile, profile_text
from quantdeck_console.profile_validation import validate
from quantdeck_core.errors import ExitCode
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.names import STARTED


def main(argv: list[str]) -> int:
    """List, show, validate, render or write profiles."""
    options = _parser().parse_args(argv)
    match options.action:
        case "list":
            return _list(options)
        case "show":
            return _show(options)
        case "validate":
            return _validate(options)
        case "render":
            return _render(options)
        case _:
            return _new(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantdeck profile", description="Profiles: how a checkpoint is served.")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="profiles that come with quantdeck")
    show = actions.add_parser("show", help="print one as TOML; with --json, with every default filled in")
    check = actions.add_parser("validate", help="exit 0 when it can be used, 3 when its engine refuses its checkpoint")
    rendering = actions.add_parser("render", help="the exact command line and environment; starts nothing")
    new = actions.add_parser("new", help="write a profile for a checkpoint; never overwrites")
    for one in (show, check, rendering):
        one.add_argument("profile", help="name of a built-in profile, or a .toml file")
    for one in (check, rendering):
        one.add_argument("--engine-version", metavar="V", help="e.g. 0.32.0 (default: the newest that is known)")
        one.add_argument("--model-path", type=Path, metavar="PATH", help="where the checkpoint lies")
    rendering.add_argument("--port", type=int, metavar="N", help="default: the profile's, or 8000 where it says any")
    rendering.add_argument("--replica", type=int, default=0, metavar="I", help="which of its replicas, from 0")
    new.add_argument("path", type=Path, help="a GGUF file, or the folder with config.json and safetensors")
    new.add_argument("--engine", choices=STARTED, help="default: the first that does not refuse it")
    new.add_argument("--name", help="default: from the file's or the folder's name")
    new.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    for one in (check, new):
        one.add_argument("--gpu", help="for this device, e.g. a100-80gb, t4, cpu")
        add_devices_option(one)
    for one in (listing, show, check, rendering, new):
        one.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
    return parser


def _list(options: argparse.Namespace) -> int:
    profiles = [load_profile(name) for name in quantdeck_profiles.names()]
    width = max(len(profile.name) for profile in profiles)
    engines = max(len(profile.engine) for profile in profiles)
    emit(options.json, profiles, (f"{p.name:<{width}}  {p.engine:<{engines}}  {p.description}" for p in profiles))
    return ExitCode.DONE


def _show(options: argparse.Namespace) -> int:
    text, _ = profile_text(options.profile)
    profile = load_profile(options.profile)
    emit(options.json, msgspec.structs.replace(profile, serve=resolved(profile, None)), text.splitlines())
    return ExitCode.DONE


def _validate(options: argparse.Namespace) -> int:
    profile = load_profile(options.profile, options.engine_version)
    device = load_devices(options.devices).named(options.gpu) if options.gpu is not None else None
    report = validate(profile, options.engine_version, options.model_path, device)
    emit(options.json, report, report.lines())
    return ExitCode.DONE if report.usable else ExitCode.NO


def _render(options: argparse.Namespace) -> int:
    profile = load_profile(options.profile, options.engine_version)
    rendered = render(profile, options.engine_version, options.model_path, options.port, options.replica)
    emit(options.json, rendered, rendered.lines())
    return ExitCode.DONE


def _new(options: argparse.Namespace) -> int:
    device = load_devices(options.devices).named(options.gpu) if options.gpu is not None else None
    written = draft(options.path, options.engine, options.name, device)
    if options.output is not None:
        written = written.to(options.output)
    emit(options.json, written, written.lines())
    return ExitCode.DONE
