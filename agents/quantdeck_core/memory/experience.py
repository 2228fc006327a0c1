"""Which measured loads speak for a plan, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_high

import msgspec

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Device
from quantdeck_core.memory.correction import Basis, Correction, correction_from
from quantdeck_core.memory.estimates import Estimates
from quantdeck_core.memory.identity import model_digest
from quantdeck_core.memory.load import Load
from quantdeck_core.memory.need import need_of, proved_weights
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Serving


def experience(
    loads: Sequence[Load],
    checkpoint: Checkpoint,
    serving: Serving,
    site: Site | None,
    given: Estimates,
    version: str | None = None,
) -> Correction | None:
    """What is known of this model on this engine and this kind of device; None where nothing is.

    Loads of the same flags and device count alone when there are any, else all of the model; those of another board
    or of other models never (decision 9). Every load is planned again as the plan is made today, so a better plan
    needs less correction.

    Args:
        loads: in any order; those of other models and engines are passed over.
        version: of the engine; None for that of the newest load.
    """
    if site is None:
        return None
    digest, device = model_digest(checkpoint), site.device
    alike = [
        load
        for load in loads
        if (load.model, load.engine) == (digest, serving.engine)
        and _comparable(load, device)
        and version in (None, load.engine_version)
    ]
    if not alike:
        return None
    newest = max(alike, key=lambda load: load.t).engine_version
    alike = [load for load in alike if load.engine_version == newest]
    same = [load for load in alike if load.device == device.name and _flags(load.serving) == _flags(serving)]
    return _together(same or alike, "same" if same else "similar", checkpoint, device, given)


def _comparable(load: Load, device: Device) -> bool:
    """GPUs among each other, and machines without one; boards have processors of their own."""
    return load.kind == device.kind and (device.kind != "edge" or load.device == device.name)


def _together(
    loads: Sequence[Load], basis: Basis, checkpoint: Checkpoint, device: Device, given: Estimates
) -> Correction:
    """The load in the middle, by how far it was from its plan; of two the larger. No figure that nobody measured."""
    # Where some were measured as a whole, those of which only the log is known say less.
    complete = [load for load in loads if load.measured.total is not None] or loads
    each = [_of_one(load, checkpoint, device, given) for load in complete]
    errors = [one.error_percent for one in each]
    middle = each[errors.index(median_high(errors))]
    least = 100 + min(errors)
    return msgspec.structs.replace(
        middle,
        loads=len(each),
        basis=basis,
        engine_version=loads[0].engine_version,
        spread=(100 + max(errors)) / least if least > 0 else 1.0,
    )


def _of_one(load: Load, checkpoint: Checkpoint, device: Device, given: Estimates) -> Correction:
    tokens = load.serving.max_model_len
    planned = need_of(checkpoint, load.serving, load.sequences, tokens, given, device)
    return correction_from(planned, load.measured, proved_weights(checkpoint, load.serving, planned))


def _flags(serving: Serving) -> Serving:
    """Without what says how much is promised, and not how it is started."""
    return msgspec.structs.replace(serving, all_full=False, replicas=1)
