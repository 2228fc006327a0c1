"""A load that was measured, beside the plan of it."""

from __future__ import annotations

from typing import NamedTuple

from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.memory.engine_log import Measured
from quantdeck_core.memory.estimates import Estimates
from quantdeck_core.memory.identity import model_digest
from quantdeck_core.memory.load import UNKNOWN_VERSION, Load, Source
from quantdeck_core.memory.need import need_of
from quantdeck_core.memory.observed import counted_in_logs, observed
from quantdeck_core.memory.plan import plan
from quantdeck_core.memory.room import Site
from quantdeck_core.memory.serving import Need, Serving
from quantdeck_core.text import clean


class Measurement(NamedTuple):
    """Bytes on one device, what the log says, where both come from, and the engine's version where it is known."""

    total: int | None
    log: Measured | None
    sources: tuple[Source, ...]
    version: str | None


class Where(NamedTuple):
    """Whose load it was, for people."""

    t: float
    host: str
    title: str


def load_of(
    checkpoint: Checkpoint, serving: Serving, site: Site, given: Estimates, measured: Measurement, where: Where
) -> Load:
    """What was measured, beside the plan without any correction.

    Raises:
        QuantdeckError: it cannot be planned, or nothing follows from what was measured.
    """
    sequences, tokens = plan(checkpoint, serving, site, given).sequences, serving.max_model_len
    planned = need_of(checkpoint, serving, sequences, tokens, given, site.device)
    counted = counted_in_logs(checkpoint, serving, sequences, given, site.device, planned)
    return Load(
        t=where.t,
        host=where.host,
        engine_version=measured.version or UNKNOWN_VERSION,
        model=model_digest(checkpoint),
        title=clean(where.title, one_line=True),
        device=site.device.name,
        kind=site.device.kind,
        serving=serving,
        sequences=sequences,
        planned=Need(planned.weights, planned.kv, planned.overhead),
        measured=observed(serving, sequences, planned, counted, measured.total, measured.log),
        sources=measured.sources,
    )
