"""The memory plan: does it fit, how often, and what would make it fit."""

from __future__ import annotations

import msgspec

from quantdeck_core.errors import InputError
from quantdeck_core.fleet.cells import size
from quantdeck_core.formats.checkpoint import Checkpoint, Problem
from quantdeck_core.memory.capacity import largest
from quantdeck_core.memory.correction import Correction, corrected
from quantdeck_core.memory.divisibility import device_problems, division_problems
from quantdeck_core.memory.estimates import Estimates
from quantdeck_core.memory.kv import bytes_per_token
from quantdeck_core.memory.need import need_of, proved_weights
from quantdeck_core.memory.replicas import instance_room, replicas
from quantdeck_core.memory.room import Site, room_bytes
from quantdeck_core.memory.serving import Need, Serving

_CONTEXT_LIMIT = 1 << 24
_SEQUENCES_LIMIT = 1 << 16
_MOST_BYTES = 1 << 60
"""No machine has an exbibyte; sums stay far below what JSON's readers take."""


class ImplausibleError(InputError):
    """A checkpoint whose numbers cannot be a model's."""

    code = "implausible"
    title = "Implausible checkpoint"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes unless it says otherwise. None stands where no device was named.

    Attributes:
        sequences: of `max_model_len` tokens each, that `kv_bytes` has room for.
        kv_bytes_per_token: the whole model; `..._per_gpu`: what one GPU keeps of it under tensor parallelism.
        total_bytes: of one instance, all its GPUs together; `host_bytes` (RAM besides a GPU) is not part of it.
        growth_bytes: what may come on top while it serves (llama.cpp's prompt cache and copies of sliding windows); it
            is not part of the total, but has room where `fits` is true.
        booked_bytes_per_gpu: what vLLM takes whatever it needs; elsewhere what is needed.
        room_bytes_per_gpu: what the engine may have of one device.
        headroom_bytes_per_gpu: room without need; below zero where it does not fit.
        fits: everything that was asked.
        replicas_by_weights: instances a GPU (a group of GPUs under parallelism) if weights were all, by the nominal
            memory: how people count, and why they run out of memory.
        replicas_per_gpu: instances a GPU, or group of GPUs, with booking, KV cache and overhead; where `max_num_seqs`
            is only a bound, each with room for one sequence of `max_model_len`.
        replicas: instances on all devices.
        max_concurrency: sequences of `max_model_len` at once in one instance.
        max_context: tokens of each of `sequences`.
        planned_total_bytes_per_gpu: `total_bytes_per_gpu` without the correction.
        correction: what measured loads changed; None where there are none.
    """

    engine: str
    device: str | None
    devices: int
    tensor_parallel: int
    pipeline_parallel: int
    max_model_len: int
    max_num_seqs: int
    kv_type: str
    sequences: int
    weights_bytes: int
    weights_bytes_per_gpu: int
    kv_bytes_per_token: int
    kv_bytes_per_token_per_gpu: int
    kv_bytes: int
    overhead_bytes: int
    total_bytes: int
    total_bytes_per_gpu: int
    planned_total_bytes_per_gpu: int
    host_bytes: int
    growth_bytes: int
    booked_bytes_per_gpu: int | None
    room_bytes_per_gpu: int | None
    headroom_bytes_per_gpu: int | None
    fits: bool | None
    replicas_by_weights: int | None
    replicas_per_gpu: int | None
    replicas: int | None
    max_concurrency: int | None
    max_context: int | None
    correction: Correction | None
    problems: tuple[Problem, ...] = ()


def plan(
    checkpoint: Checkpoint, serving: Serving, site: Site | None, given: Estimates, correction: Correction | None = None
) -> Plan:
    """The plan for one instance, and how many of it there is room for.

    Args:
        correction: of earlier loads.

    Raises:
        ShapeUnknownError: the checkpoint does not say what its KV cache depends on.
        ImplausibleError: what it says is beyond any machine.
        InputError: the engine cannot be planned, or the machine's memory is not known.
    """
    device = site.device if site else None

    def uncorrected(sequences: int, tokens: int) -> Need:
        return need_of(checkpoint, serving, sequences, tokens, given, device)

    def need(sequences: int, tokens: int) -> Need:
        estimate = uncorrected(sequences, tokens)
        return corrected(estimate, correction, proved_weights(checkpoint, serving, estimate))

    alone = None if site is None else room_bytes(site, serving, given)
    room = None if site is None or alone is None else instance_room(site, serving, alone)
    concurrency = context = fits = copies = None
    sequences = serving.max_num_seqs
    if room is not None:
        concurrency = largest(lambda n: need(n, serving.max_model_len).most <= room, _SEQUENCES_LIMIT)
    if not serving.all_full:
        sequences = max(1, min(serving.max_num_seqs, concurrency or 1))
    problems = division_problems(checkpoint, serving) + device_problems(serving, site)
    here = need(sequences, serving.max_model_len)
    if max(here.most, here.host) * serving.gpus > _MOST_BYTES:
        raise ImplausibleError(
            f"By its configuration it would take more than {size(_MOST_BYTES)}: a number in it is wrong.",
            "Compare it with the configuration that the model was published with.",
        )
    if site is not None and alone is not None and room is not None:
        context = largest(lambda n: need(sequences, n).most <= room, checkpoint.context_length or _CONTEXT_LIMIT)
        one = here if serving.all_full else need(1, serving.max_model_len)
        copies = replicas(site, serving, one, alone)
        in_ram = site.ram_bytes is None or here.host <= site.ram_bytes
        fits = not problems and here.most <= room and in_ram
    return Plan(
        engine=serving.engine,
        device=site.device.name if site else None,
        devices=site.amount if site else serving.gpus,
        tensor_parallel=serving.tensor_parallel,
        pipeline_parallel=serving.pipeline_parallel,
        max_model_len=serving.max_model_len,
        max_num_seqs=serving.max_num_seqs,
        kv_type=serving.kv_type,
        sequences=sequences,
        weights_bytes=checkpoint.weights_bytes,
        weights_bytes_per_gpu=here.weights,
        kv_bytes_per_token=bytes_per_token(checkpoint, serving.kv),
        kv_bytes_per_token_per_gpu=bytes_per_token(checkpoint, serving.kv, serving.tensor_parallel),
        kv_bytes=here.kv * serving.gpus,
        overhead_bytes=here.overhead * serving.gpus,
        total_bytes=here.total * serving.gpus,
        total_bytes_per_gpu=here.total,
        planned_total_bytes_per_gpu=uncorrected(sequences, serving.max_model_len).total,
        host_bytes=here.host,
        growth_bytes=here.growth,
        booked_bytes_per_gpu=_booked(site, serving, here, room),
        room_bytes_per_gpu=room,
        headroom_bytes_per_gpu=None if room is None else room - here.most,
        fits=fits,
        replicas_by_weights=copies.by_weights if copies else None,
        replicas_per_gpu=copies.per_group if copies else None,
        replicas=copies.in_all if copies else None,
        max_concurrency=concurrency,
        max_context=context,
        correction=correction,
        problems=problems,
    )


def _booked(site: Site | None, serving: Serving, need: Need, room: int | None) -> int | None:
    if room is None or site is None:
        return None
    return room if serving.engine == "vllm" and site.device.memory_bytes else need.total
