"""Who is on an engine, and what becomes of them when it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from quantdeck_core.fleet.cells import weight
from quantdeck_core.hashing import BUCKETS
from quantdeck_core.protocol.experiment import ArmSummary, ExperimentStatus


class Users(NamedTuple):
    """The share of an experiment's users that an engine answers.

    Attributes:
        arm: `control` or `treatment`.
        share_bp: basis points of the experiment's users.
    """

    experiment: str
    arm: str
    share_bp: int

    @property
    def sentence(self) -> str:
        """``10 % of users are on it: it is the treatment of int4_v1``."""
        return f"{weight(self.share_bp)} of users are on it: it is the {self.arm} of {self.experiment}"

    @property
    def when_it_goes(self) -> str:
        """What a stop means for them, in a sentence; empty where it means nothing."""
        if self.arm == "treatment":
            return f"They go back to the control: {self.experiment} is rolled back." if self.share_bp else ""
        refused = "They are refused (503) until it serves again." if self.share_bp else ""
        stuck = "Nobody can be put back until then." if self.share_bp < BUCKETS else ""
        return f"{refused} {stuck}".strip()


def base_name(engine: str) -> str:
    """The name that is asked for: a replica `a/1` is one of `a`."""
    return engine.partition("/")[0]


def users_of(engine: str, experiments: Sequence[ExperimentStatus]) -> list[Users]:
    """In which experiments an engine is, and how many users each gives it; the most first."""
    found = []
    for one in experiments:
        share = one.state.weight_bp
        for arm, summary, bp in (("control", one.control, BUCKETS - share), ("treatment", one.treatment, share)):
            if _answers(engine, summary):
                found.append(Users(one.name, arm, bp))
    return sorted(found, key=lambda users: -users.share_bp)


def _answers(engine: str, arm: ArmSummary) -> bool:
    """An arm lists its replicas as NAME.GENERATION while they serve, and the bare name otherwise."""
    name = base_name(engine)
    return any(key == name or key.rpartition(".")[0] == name for key in arm.engines)
