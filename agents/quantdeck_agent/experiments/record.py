"""What is remembered of an experiment."""

from __future__ import annotations

import msgspec

from quantdeck_agent.experiments.heard import Heard
from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.protocol.drill import DrillRecord
from quantdeck_core.protocol.experiment import RollbackRecord
from quantdeck_core.protocol.traffic import Traffic
from quantdeck_core.rollout.cold_start import ControlRecipe
from quantdeck_core.rollout.state import RolloutState


class ExperimentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment.

    Attributes:
        control, treatment: names of engines on this host.
        judge_after: older signals of the treatment say nothing about it any more, since somebody has mended it and
            cleared the rollback. Persisted: after a restart the analyser sends old answers again.
        counted: up to here signals are in the state's figures, and count no more when the analyser sends them again.
        finished: it has ended; `control` is the baseline of a later experiment and serves everyone, and there is no
            treatment any more.
        last_drill: how the last rehearsed rollback went.
        control_recipe: what the control was when it served last, to start it again for a rollback.
        retire: the engine of the other arm, to be stopped once the gateway sends nobody there; empty else.
    """

    name: str
    served_name: str
    control: str
    treatment: str
    thresholds: Thresholds
    traffic: Traffic = Traffic()
    canary: CanarySettings = CanarySettings()
    state: RolloutState
    judge_after: Heard = Heard()
    counted: Heard = Heard()
    last_rollback: RollbackRecord | None = None
    finished: bool = False
    retire: str = ""
    last_drill: DrillRecord | None = None
    control_recipe: ControlRecipe | None = None
