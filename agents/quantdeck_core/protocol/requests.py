"""What a console asks of an agent. Every change has a request id, applied once however often it arrives."""

from __future__ import annotations

from typing import Literal

import msgspec

from quantdeck_core.canary.settings import CanarySettings
from quantdeck_core.drift.thresholds import Thresholds
from quantdeck_core.profile.names import Name, NameOrNone
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Degree
from quantdeck_core.protocol.gateway import WeightBp
from quantdeck_core.protocol.traffic import Traffic
from quantdeck_core.rollout.plan import RolloutPlan

Steering = Literal["pause", "resume", "promote", "abort"]


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every change carries."""

    request_id: str
    by: str = ""
    """Who asks, as shown in the timeline; control characters are dropped where it arrives."""


class Deploy(Change, kw_only=True, frozen=True):
    """Start an engine under a name, or replace the one that runs under it.

    Attributes:
        name: the engine's name on the host; empty for the profile's.
        replace: the new one becomes ready before the old one drains; without it, a name in use is refused.
        swap: with `replace`: where there is no room for both, the old one is ended first, and nobody serves meanwhile.
        force: start it although the plan says that it does not fit, or a rule that the engine cannot serve it. Who
            forced it is recorded.
    """

    profile: Profile
    name: NameOrNone = ""
    replace: bool = False
    swap: bool = False
    force: bool = False


class Stop(Change, kw_only=True, frozen=True):
    """Drain and end an engine; ends an operation on it too."""


class Restart(Change, kw_only=True, frozen=True):
    """Start an engine's processes anew with the profile that they have; `swap` and `force` as in `Deploy`."""

    swap: bool = False
    force: bool = False


class Scale(Change, kw_only=True, frozen=True):
    """Change how many replicas an engine has."""

    replicas: Degree
    force: bool = False


class Cancel(Change, kw_only=True, frozen=True):
    """End an operation; what served before goes on."""


class CreateExperiment(Change, kw_only=True, frozen=True):
    """Put two engines of the gateway's host side by side, at weight 0."""

    name: Name
    control: Name
    treatment: Name
    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)
    traffic: Traffic = Traffic()
    canary: CanarySettings = CanarySettings()


class ChangeWeight(Change, kw_only=True, frozen=True):
    """Set the treatment's share.

    Attributes:
        revision: of the experiment that the asker saw; refused with 409 when it is stale.
    """

    weight_bp: WeightBp
    revision: int
    reason: str = ""


class Rollback(Change, kw_only=True, frozen=True):
    """Everyone back to the control, latched.

    Attributes:
        revision: None, as a person asks: it is right whatever happened since. Who carries a rollback from elsewhere
            names the revision that they saw: somebody may have cleared the latch a moment ago (409 then).
        began: UNIX time of this host's clock at which it was decided, where that was elsewhere or earlier; 0: now.
    """

    reason: str
    revision: int | None = None
    began: float = 0.0


class ClearLatch(Change, kw_only=True, frozen=True):
    """Allow the treatment again, from 5 %."""

    revision: int
    reason: str


class StartRollout(Change, kw_only=True, frozen=True):
    """Begin a plan for an experiment that exists."""

    plan: RolloutPlan
    revision: int
    reason: str = ""


class SteerRollout(Change, kw_only=True, frozen=True):
    """Steer the plan.

    Attributes:
        action: `pause` holds it where it is; `resume` lets it go on; `promote` skips the rest of this step, for a
            reason; `abort` ends it and puts everyone back on the control, without a latch.
        revision: of the experiment that the asker saw; `pause` and `abort` are right whatever happened since.
    """

    action: Steering
    revision: int
    reason: str = ""


class Finish(Change, kw_only=True, frozen=True):
    """End the experiment: the treatment becomes the baseline, and the old one is retired.

    Attributes:
        discard: the other way round: the control stays, and the treatment, which has no users any more, is retired.
    """

    revision: int
    reason: str = ""
    discard: bool = False


class FreezeAsk(Change, kw_only=True, frozen=True):
    """Hold all automation of a host but rollbacks, or let it go on."""

    reason: str


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing on this host moves a rollout on by itself; rollbacks still happen.

    Attributes:
        since: UNIX time, seconds.
    """

    by: str
    reason: str
    since: float


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was persisted.

    Attributes:
        revision: of the changed thing, to base the next change on.
        detail: what else there is to say; empty where all is done.
        operation: what goes on from now, where it takes time; its id.
        pending: the gateway could not be told yet; the agent goes on trying. Never to be shown as done.
        effective_ms: from the agent's receipt until the gateway acknowledged, for changes of the split.
    """

    revision: int
    detail: str = ""
    operation: str = ""
    pending: bool = False
    effective_ms: float | None = None
