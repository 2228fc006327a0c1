"""The states of a rollout."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.hashing import BUCKETS

Stage = Literal["fp16_only", "ab_test", "gradual", "full_quant", "rollback"]

AB_TEST_MAX_BP = 1_000
"""Up to 10 % is an A/B test; above it the rollout is gradual."""
RESTART_BP = 500
"""After a rollback a treatment starts again from 5 %."""


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rollout stands.

    Attributes:
        weight_bp: basis points of users on the treatment.
        from_bp: the weight before a rollback, 0 otherwise.
        revision: rises with every change; a change based on an older one is refused.
        reason: why it stands there; for `rollback` what broke.
        by: the person, or `quantdeck`.
        since: UNIX time of the last change, seconds.
    """

    stage: Stage = "fp16_only"
    weight_bp: int = 0
    from_bp: int = 0
    revision: int = 1
    reason: str = ""
    by: str = ""
    since: float = 0.0

    @property
    def latched(self) -> bool:
        """Rolled back: the weight stays 0 until somebody says why it may rise again."""
        return self.stage == "rollback"


def stage_of(weight_bp: int) -> Stage:
    """The stage that a weight means while nothing is rolled back."""
    if weight_bp == 0:
        return "fp16_only"
    if weight_bp <= AB_TEST_MAX_BP:
        return "ab_test"
    return "full_quant" if weight_bp == BUCKETS else "gradual"
