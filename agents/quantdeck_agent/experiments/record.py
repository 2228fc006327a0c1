"""What is remembered of an experiment."""

from __future__ import annotations

import msgspec

from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.protocol.experiment import RollbackRecord
from quantdeck_core.rollout.state import RolloutState


class ExperimentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment; `control` and `treatment` are names of engines on this host."""

    name: str
    served_name: str
    control: str
    treatment: str
    thresholds: Thresholds
    state: RolloutState
    last_rollback: RollbackRecord | None = None
