"""What would make it fit, the cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.divisibility import possible_tp
from quantdeck_core.memory.plan import ImplausibleError, Plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving
from quantdeck_core.memory.weights import stored_weights_bytes
from quantdeck_core.profile.names import LLAMACPP, VLLM

_SHORTEST = 1024
"""Tokens: below, a chat model is of little use."""
_BITS = (8, 4)
_MOST_GPUS = 8
"""In one usual machine."""

Planner = Callable[[Checkpoint, Serving, Site], Plan]
"""Plans with everything else as it was."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change after which it fits.

    Attributes:
        code: stable, for scripts.
        options: for `quantdeck plan`, where options alone make the change.
    """

    code: str
    detail: str
    options: tuple[str, ...] = ()
    total_bytes_per_gpu: int


def changes(
    plan: Planner, checkpoint: Checkpoint, serving: Serving, site: Site, devices: tuple[Device, ...]
) -> tuple[Change, ...]:
    """Changes that make it fit, each by itself, from the cheapest to the dearest.

    What costs nothing comes first (GPUs that stand idle), then what costs a little quality (an 8-bit cache), then
    what serves less (fewer sequences, shorter ones), then work (another checkpoint), then money (other hardware).
    """
    found: dict[str, Change] = {}
    for code, detail, options, candidate in _candidates(plan, checkpoint, serving, site, devices):
        # The first of a kind is the smallest: two GPUs before four.
        if code in found or _covered(code, found):
            continue
        outcome = _planned(plan, candidate)
        if outcome is not None and outcome.fits:
            total = outcome.total_bytes_per_gpu
            found[code] = Change(code=code, detail=detail, options=options, total_bytes_per_gpu=total)
    return tuple(found.values())


def _planned(plan: Planner, candidate: tuple[Checkpoint, Serving, Site]) -> Plan | None:
    """The plan after a change; None where that would be beyond any machine, as a claim of a checkpoint can be."""
    try:
        return plan(*candidate)
    except ImplausibleError:
        return None


def _covered(code: str, found: dict[str, Change]) -> bool:
    """Whether half of this change was enough."""
    return "+" in code and any(half in found for half in code.split("+"))


_Candidate = tuple[str, str, tuple[str, ...], tuple[Checkpoint, Serving, Site]]


def _candidates(
    plan: Planner, checkpoint: Checkpoint, serving: Serving, site: Site, devices: tuple[Device, ...]
) -> Iterator[_Candidate]:
    yield from _other_division(checkpoint, serving, site)
    idle = tuple(_more_gpus("idle-gpus", checkpoint, serving, site, site.amount))
    yield from idle
    yield from _one_device(plan, checkpoint, serving, site)
    if idle:
        # Idle GPUs cost nothing, so what they do not solve alone is tried on all of them.
        _, divided, options, (_, wider, _) = idle[-1]
        for code, detail, more, candidate in _one_device(plan, checkpoint, wider, site):
            yield f"idle-gpus+{code}", f"{divided} {detail}", (*options, *more), candidate
    if site.device.kind == "gpu":
        yield from _more_gpus("more-gpus", checkpoint, serving, site, _MOST_GPUS)
        yield from _larger_device(checkpoint, serving, site, devices)


def _one_device(plan: Planner, checkpoint: Checkpoint, serving: Serving, site: Site) -> Iterator[_Candidate]:
    yield from _smaller_cache(checkpoint, serving, site)
    yield from _less_asked(plan, checkpoint, serving, site)
    yield from _fewer_bits(checkpoint, serving, site)


def _other_division(checkpoint: Checkpoint, serving: Serving, site: Site) -> Iterator[_Candidate]:
    """The widest that divides the model and that there are GPUs for, where what was asked does not or has none."""
    widths = [tp for tp in possible_tp(checkpoint) if tp * serving.pipeline_parallel <= site.amount * serving.nodes]
    asked = serving.tensor_parallel
    if (
        serving.engine in VLLM
        and widths
        and (asked not in possible_tp(checkpoint) or serving.gpus_per_host > site.amount)
    ):
        tp = max((width for width in widths if width <= asked), default=widths[0])
        narrower = msgspec.structs.replace(serving, tensor_parallel=tp)
        detail = f"Divide it by tensor parallelism {tp}, not {asked}."
        yield "other-division", detail, ("--tp", str(tp)), (checkpoint, narrower, site)


def _more_gpus(code: str, checkpoint: Checkpoint, serving: Serving, site: Site, most: int) -> Iterator[_Candidate]:
    if serving.engine not in VLLM:
        for pp in range(serving.pipeline_parallel + 1, most + 1):
            split = msgspec.structs.replace(serving, pipeline_parallel=pp)
            detail = f"Put its layers on {pp} GPUs."
            yield code, detail, ("--pp", str(pp)), (checkpoint, split, site._replace(amount=max(site.amount, pp)))
        return
    for tp in possible_tp(checkpoint):
        gpus = tp * serving.pipeline_parallel
        if tp > serving.tensor_parallel and gpus <= most:
            wider = msgspec.structs.replace(serving, tensor_parallel=tp)
            detail = f"Divide it among {gpus} GPUs (tensor parallelism {tp})."
            yield (
                code,
                detail,
                ("--tp", str(tp)),
                (checkpoint, wider, site._replace(amount=max(site.amount, wider.gpus_per_host))),
            )


def _smaller_cache(checkpoint: Checkpoint, serving: Serving, site: Site) -> Iterator[_Candidate]:
    kind = "q8_0" if serving.engine in LLAMACPP else "fp8"
    if serving.kv_type in ("f16", "bf16", "f32"):
        smaller = msgspec.structs.replace(serving, kv_type=kind)
        detail = f"Keep the KV cache as {kind}: half the bytes, little quality."
        yield "kv-dtype", detail, ("--kv-dtype", kind), (checkpoint, smaller, site)


def _less_asked(plan: Planner, checkpoint: Checkpoint, serving: Serving, site: Site) -> Iterator[_Candidate]:
    now = _planned(plan, (checkpoint, serving, site))
    if now is None:
        return
    if now.replicas and now.replicas < serving.replicas:
        less = msgspec.structs.replace(serving, replicas=now.replicas)
        detail = f"Run {now.replicas} instances, not {serving.replicas}."
        yield "replicas", detail, ("--replicas", str(now.replicas)), (checkpoint, less, site)
    if now.max_concurrency and now.max_concurrency < serving.max_num_seqs:
        fewer = msgspec.structs.replace(serving, max_num_seqs=now.max_concurrency)
        detail = f"Serve {now.max_concurrency} full sequences at once, not {serving.max_num_seqs}."
        yield "concurrency", detail, ("--max-num-seqs", str(now.max_concurrency)), (checkpoint, fewer, site)
    if now.max_context and _SHORTEST <= now.max_context < serving.max_model_len:
        tokens = now.max_context // 256 * 256
        shorter = msgspec.structs.replace(serving, max_model_len=tokens)
        detail = f"Shorten the context to {tokens} tokens."
        yield "context", detail, ("--max-model-len", str(tokens)), (checkpoint, shorter, site)


def _fewer_bits(checkpoint: Checkpoint, serving: Serving, site: Site) -> Iterator[_Candidate]:
    stored = checkpoint.bits or 16
    for bits in _BITS:
        if bits < stored and checkpoint.parameters:
            weights = min(checkpoint.weights_bytes, stored_weights_bytes(checkpoint.parameters, bits))
            lighter = msgspec.structs.replace(checkpoint, weights_bytes=weights, bits=bits)
            detail = f"Quantize the weights to {bits} bits (about {weights / 1e9:.1f} GB)."
            yield f"weights-{bits}-bit", detail, (), (lighter, serving, site)


def _larger_device(
    checkpoint: Checkpoint, serving: Serving, site: Site, devices: tuple[Device, ...]
) -> Iterator[_Candidate]:
    larger = (one for one in devices if one.kind == "gpu" and one.memory_mib > site.device.memory_mib)
    for device in sorted((one for one in larger if one.vendor == site.device.vendor), key=lambda one: one.memory_mib):
        amount = f":{site.amount}" if site.amount > 1 else ""
        yield (
            "device", f"Use a larger GPU: {device.title} ({device.memory_gb:g} GB).",
            ("--gpu", f"{device.name}{amount}"), (checkpoint, serving, site._replace(device=device)),
        )  # fmt: skip
