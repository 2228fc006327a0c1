"""What is remembered of an experiment."""

from __future__ import annotations

import msgspec

from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.protocol.experiment import RollbackRecord
from quantdeck_core.protocol.traffic import Traffic
from quantdeck_core.rollout.state import RolloutState


class ExperimentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment.

    Attributes:
        control, treatment: names of engines on this host.
        judge_from: UNIX time; older answers of the treatment say nothing about it any more, since somebody has mended
            it and cleared the rollback. Persisted: after a restart the analyser sends old answers again.
    """

    name: str
    served_name: str
    control: str
    treatment: str
    thresholds: Thresholds
    traffic: Traffic = Traffic()
    state: RolloutState
    judge_from: float = 0.0
    last_rollback: RollbackRecord | None = None
