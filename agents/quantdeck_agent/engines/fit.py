"""Whether an engine has room on this host now: the plan, the rules, and what is free at this moment."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import quantdeck_profiles.data as data
from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_core.compat.architecture import parse_architectures, with_architecture
from quantdeck_core.compat.judge import judge
from quantdeck_core.compat.rules import Rules, parse_rules
from quantdeck_core.errors import ErrorInfo, QuantdeckError
from quantdeck_core.fleet.cells import size
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.formats.detect import detect
from quantdeck_core.hardware.device import Devices, parse_devices
from quantdeck_core.hardware.host import HostHardware, Installed, of_host
from quantdeck_core.memory.estimates import Estimates, parse_estimates
from quantdeck_core.memory.experience import experience
from quantdeck_core.memory.identity import model_digest
from quantdeck_core.memory.load import Load
from quantdeck_core.memory.plan import Plan, plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving, serving_from
from quantdeck_core.profile.names import VLLM
from quantdeck_core.profile.schema import Profile
from quantdeck_core.protocol.host import HostSample, HostStatus
from quantdeck_core.protocol.operation import Room
from quantdeck_ledger.ledger import Ledger, LedgerError


class Subject(NamedTuple):
    """What is to be loaded, how and where: also what a measurement is about afterwards."""

    checkpoint: Checkpoint
    serving: Serving
    site: Site


class Fit(NamedTuple):
    """The answer.

    Attributes:
        refusal: why it should not be started; None where nothing speaks against it. Its code is `does-not-fit`,
            `no-room-now` or `incompatible`.
        planned_bytes: of the fullest device; None where no plan could be made.
        room: what is needed and what is free, with what is given back left out; None likewise.
        note: why there is no plan, or no check of what is free.
    """

    refusal: ErrorInfo | None = None
    planned_bytes: int | None = None
    room: Room | None = None
    note: str = ""


class Tables(NamedTuple):
    """Data of the checks."""

    rules: Rules
    devices: Devices
    estimates: Estimates


@cache
def tables() -> Tables:
    """Read once."""
    return Tables(
        parse_rules(data.text("compatibility")),
        Devices(parse_devices(data.text("devices"), "devices.toml")),
        parse_estimates(data.text("memory")),
    )


def subject_of(profile: Profile, path: Path, sample: HostSample, gpus: tuple[int, ...]) -> Subject:
    """What is planned.

    Raises:
        QuantdeckError: the checkpoint cannot be read, or the host has a GPU that nobody knows.
    """
    checkpoint = detect(LocalSource(path))
    serving = serving_from(profile, checkpoint)
    hardware = of_host(HostStatus(name="this host", agent_version="", sample=sample), tables().devices)
    installed = _installed(profile, serving, hardware, gpus)
    return Subject(checkpoint, serving, Site(installed.device, installed.count, hardware.ram_bytes))


def fit_of(
    subject: Subject, sample: HostSample, gpus: tuple[int, ...], copies: int, freed: int, version: str, ledger: Path
) -> Fit:
    """Whether it has room.

    Args:
        gpus: that it is to use; empty for none.
        copies: instances that are to be started on them.
        freed: bytes on each of its devices that are given back before it starts.
        version: of the engine; empty where it is not known.
        ledger: measurements of earlier loads.
    """
    if (refused := _incompatible(subject, version)) is not None:
        return Fit(refused)
    try:
        planned = _planned(subject, version, ledger)
    except QuantdeckError as error:
        return Fit(note=f"not planned: {error.detail}")
    needed = planned.booked_bytes_per_gpu or planned.total_bytes_per_gpu
    room = _room(planned, sample, gpus, copies, needed)
    if planned.fits is False:
        problem = next((one for one in planned.problems if one.blocks), None)
        detail = (
            problem.detail
            if problem
            else (
                f"It needs {size(planned.total_bytes_per_gpu)} of {subject.site.device.title}, which has "
                f"{size(planned.room_bytes_per_gpu)} for it."
            )
        )
        hint = "`quantdeck plan PROFILE --host HOST` says what would make it fit; --force starts it all the same."
        return Fit(ErrorInfo(code="does-not-fit", title="Does not fit", detail=detail, hint=hint), needed, room)
    free = room.free + freed
    if room.needed > free:
        where = room.where if gpus else "this host's RAM"
        return Fit(
            ErrorInfo(
                code="no-room-now",
                title="No room now",
                detail=f"It needs {size(room.needed)}, and {where} has {size(free)} free now.",
                hint="Stop what is there (quantdeck fleet), or choose other gpus; --force starts it all the same.",
            ),
            needed,
            room,
        )
    return Fit(planned_bytes=needed, room=room)


def _installed(profile: Profile, serving: Serving, hardware: HostHardware, gpus: tuple[int, ...]) -> Installed:
    for one in hardware.devices:
        if gpus and gpus[0] in one.gpus:
            return one
    on_gpu = profile.engine == "vllm" or (profile.engine not in VLLM and serving.n_gpu_layers != 0)
    if on_gpu or hardware.devices[0].device.kind != "gpu":
        return hardware.devices[0]
    return Installed(device=tables().devices.named("cpu"))


def _incompatible(subject: Subject, version: str) -> ErrorInfo | None:
    rules, engine = tables().rules, subject.serving.engine
    one = rules.engine_named(engine)
    if version and one.version:
        one = rules.engine_named(f"{engine}@{version}")
    verdict = judge(rules, subject.checkpoint, one, subject.site.device)
    verdict = with_architecture(verdict, parse_architectures(data.text("architectures")), subject.checkpoint, one)
    if verdict.verdict != "refused":
        return None
    hint = f"{verdict.hint} --force starts it all the same.".strip()
    return ErrorInfo(code="incompatible", title="Cannot be served", detail=f"{one.title}: {verdict.reason}", hint=hint)


def _planned(subject: Subject, version: str, ledger: Path) -> Plan:
    checkpoint, serving, site = subject
    loads = _loads(ledger, model_digest(checkpoint))
    known = experience(loads, checkpoint, serving, site, tables().estimates, version or None)
    return plan(checkpoint, serving, site, tables().estimates, known)


def _loads(ledger: Path, model: str) -> list[Load]:
    """What was measured of a model; a file that cannot be used stops no plan."""
    if not ledger.exists():
        return []
    try:
        with Ledger(ledger, write=False) as kept:
            return [entry.load for entry in kept.entries(model)]
    except LedgerError:
        return []


def _room(planned: Plan, sample: HostSample, gpus: tuple[int, ...], copies: int, needed: int) -> Room:
    shards = planned.tensor_parallel * planned.pipeline_parallel
    free, total = _least(sample, gpus)
    return Room(
        where=f"GPU {', '.join(map(str, gpus))}" if gpus else "RAM",
        weights=planned.weights_bytes_per_gpu,
        kv=planned.kv_bytes // shards,
        overhead=planned.overhead_bytes // shards,
        needed=needed * copies,
        free=free,
        total=total,
        instances=copies,
    )


def _least(sample: HostSample, gpus: tuple[int, ...]) -> tuple[int, int]:
    """Free bytes and all bytes of the device with the fewest free ones."""
    found = [
        (
            gpu.memory_total_bytes - gpu.memory_used_bytes - (gpu.memory_reserved_bytes or 0),
            gpu.memory_total_bytes,
        )
        for gpu in sample.gpus
        if gpu.index in gpus
    ]
    if found:
        return min(found)
    return sample.memory_total_bytes - sample.memory_used_bytes, sample.memory_total_bytes
