"""What `quantdeck plan` was asked: a checkpoint, how it is to be served, and where."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

import quantdeck_profiles
from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_console.device_source import load_devices
from quantdeck_console.host_source import site_of_host
from quantdeck_console.profile_source import load_profile, model_path
from quantdeck_core.errors import InputError
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.hardware.device import Device, Devices
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving, kv_type_named, serving_from
from quantdeck_core.profile.names import STARTED, EngineKind
from quantdeck_core.profile.schema import Profile

_SITE = re.compile(r"^(?P<name>[^:]+)(?::(?P<amount>[1-9]\d{0,3}))?$")
_SIZE = re.compile(r"^(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?i?B)?$", re.IGNORECASE)
_DECIMAL = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BINARY = {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}


class Subject(NamedTuple):
    """What is planned."""

    title: str
    checkpoint: Checkpoint
    profile: Profile | None


class Request(NamedTuple):
    """What is planned, how it is served, and where; `devices` are all that could take its place."""

    subject: Subject
    serving: Serving
    site: Site | None
    devices: Devices


def request_of(options: argparse.Namespace) -> Request:
    """What the options of `plan_options` ask.

    Raises:
        QuantdeckError: there is no such checkpoint, profile or device, or it cannot be read.
    """
    devices = load_devices(options.devices)
    site = site_of(options.gpu, devices, options.memory) if options.gpu else None
    if options.host:
        site = site_of_host(options, devices)
    subject = subject_of(options.subject, options.models)
    return Request(subject, serving_of(options, subject, site.device if site else None), site, devices)


def subject_of(named: str, models: Path | None) -> Subject:
    """The checkpoint at a path, or the one that a profile serves.

    Args:
        models: folder below which profiles name their models; None for $QUANTDECK_MODELS, else the current one.

    Raises:
        QuantdeckError: there is nothing, or it cannot be read.
    """
    is_profile = named.endswith(".toml") or (named in quantdeck_profiles.names() and not Path(named).exists())
    if not is_profile:
        return Subject(named, detect(LocalSource(Path(named))), None)
    profile = load_profile(named)
    path = model_path(profile, models)
    if not path.exists():
        raise InputError(
            f"The profile {profile.name} serves {profile.model}, which is not below the models' folder: no {path}.",
            "Say where models are: --models FOLDER.",
        )
    return Subject(profile.name, detect(LocalSource(path)), profile)


def site_of(text: str, devices: Devices, memory: int | None) -> Site:
    """`h100-80gb:4` and how much RAM there is.

    Args:
        memory: bytes of RAM; None for this machine's, where the device has no memory of its own.

    Raises:
        InputError: it is no name with a number.
        NotFoundError: no such device.
    """
    match = _SITE.match(text)
    if match is None:
        raise InputError(f"{text!r} is no device.", "Write a name, or a name and how many: a100-80gb:4.")
    device = devices.named(match["name"])
    if memory is None and device.kind == "cpu":
        memory = psutil.virtual_memory().total
    return Site(device, int(match["amount"] or 1), memory)


def parse_size(text: str) -> int:
    """`64GiB`, `32 GB` or bytes.

    Raises:
        argparse.ArgumentTypeError: it is no size.
    """
    match = _SIZE.match(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write for example 64GiB")
    return int(float(match["number"]) * (_DECIMAL | _BINARY)[(match["unit"] or "B").lower()])


def serving_of(options: argparse.Namespace, subject: Subject, device: Device | None) -> Serving:
    """How it is to be served: what the options say, else the profile, else the defaults of the engine.

    Raises:
        InputError: the engine is not one that quantdeck starts, or has no such KV cache.
    """
    profile = subject.profile or Profile(name="planned", model="planned", engine=_usual_engine(subject, device))
    if options.engine is not None:
        profile = msgspec.structs.replace(profile, engine=_started(options.engine))
    serving = serving_from(profile, subject.checkpoint)
    asked = {
        "max_model_len": options.max_model_len,
        "max_num_seqs": options.max_num_seqs,
        "all_full": True if options.max_num_seqs else None,
        "tensor_parallel": options.tp,
        "pipeline_parallel": options.pp,
        "replicas": options.replicas,
        "gpu_memory_utilization": options.gpu_memory_utilization,
        "kv_type": options.kv_dtype and kv_type_named(options.kv_dtype, serving.engine),
        # Who names a GPU for a checkpoint wants it there; a profile says itself how many layers.
        "n_gpu_layers": -1 if subject.profile is None else None,
    }
    return msgspec.structs.replace(serving, **{name: value for name, value in asked.items() if value is not None})


def _started(name: str) -> EngineKind:
    for engine in STARTED:
        if engine == name.lower():
            return engine
    raise InputError(f"quantdeck does not plan the memory of {name!r}.", f"It does for {', '.join(STARTED)}.")


def _usual_engine(subject: Subject, device: Device | None) -> EngineKind:
    if subject.checkpoint.format == "gguf":
        return "llama-server"
    return "vllm-cpu" if device is not None and device.kind == "cpu" else "vllm"
