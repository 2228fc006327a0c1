"""Messages between an agent and the gateway that it started.

The config file and the control socket. What the gateway's analyser tells the agent is in `signals`. The gateway never
sees profiles, rollouts or verdicts.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

VariantName = Literal["control", "treatment"]
WeightBp = Annotated[int, Meta(ge=0, le=10_000)]
Unkeyed = Literal["control", "request", "api_key"]
Priority = Literal["low", "normal", "high"]
Positive = Annotated[int, Meta(ge=1)]


class Replica(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine behind an arm.

    Attributes:
        name: the engine's name on its host.
        url: its base, ``http://127.0.0.1:9001``, or ``https://`` for an engine that somebody else runs.
        api_key: sent upstream as a bearer token; never logged, never shown.
        model: the name by which it knows the model, where that is not what clients send; their `model` is rewritten.
    """

    name: str
    url: str
    api_key: str | None = None
    model: str | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much an arm takes on, and what it does when there is more.

    Attributes:
        max_in_flight: requests that its engines work on at once; more wait.
        max_queue: requests that may wait; more are shed.
        queue_s: longest wait, seconds; who would wait longer is shed at once.
        cap_tokens: under pressure `max_tokens` is lowered to this; None never touches a body.
        spill: whether users of this arm may be answered by the other one rather than shed.
    """

    max_in_flight: Positive = 4096
    max_queue: Annotated[int, Meta(ge=0)] = 1024
    queue_s: Annotated[float, Meta(gt=0)] = 10.0
    cap_tokens: Positive | None = None
    spill: bool = False


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side of an experiment.

    Attributes:
        replicas: engines that answer for this arm; may be empty (the arm then answers 503).
        generation: rises whenever what serves the arm changed (another checkpoint, another start); answers carry it, so
            that a judge never mixes two models in one window.
    """

    replicas: tuple[Replica, ...] = ()
    generation: int = 0
    limits: Limits = Limits()


class Shadow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Copies of one arm's requests for the other arm, whose answers are judged and thrown away.

    Attributes:
        of: whose requests are copied: the control's before a first step, the treatment's after the last.
        share_bp: basis points of them.
    """

    of: VariantName = "control"
    share_bp: WeightBp


class ExperimentRoute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one experiment's traffic is split.

    Attributes:
        name: goes into the hash, so renaming moves users.
        served_name: the model name that clients send; only looked at when a gateway has several experiments.
        weight_bp: basis points of users on the treatment.
        unkeyed: where requests without a user go: to the control, each by its own id, or by the API key they came with.
        pinned: users who are on an arm whatever the weight says.
        tester_header: whether a request may choose its arm by `x-quantdeck-variant`.
        latched: the weight is 0 and stays so until the latch is lifted.
        cut_loops: a streamed answer that runs into an endless loop is ended, with `finish_reason` "repetition".
        keep_flagged: the analyser keeps the last prompts whose answers were flagged, in memory, for an hour.
    """

    name: str
    served_name: str
    weight_bp: WeightBp = 0
    control: Arm
    treatment: Arm
    unkeyed: Unkeyed = "control"
    pinned: dict[str, VariantName] = {}
    tester_header: bool = False
    shadow: Shadow | None = None
    latched: bool = False
    cut_loops: bool = False
    keep_flagged: bool = False


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may ask.

    Attributes:
        name: shown in metrics and logs; the key never is.
        sha256: of the key, as 64 hex digits. Keys are random, so that they need no slow hash.
        priority: who is shed first when there is too much.
    """

    name: str
    sha256: str
    priority: Priority = "normal"


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a gateway needs, as one file that is replaced atomically.

    Attributes:
        revision: rises with every change; an older one is refused.
        api_keys: without any, everyone who reaches the port may ask.
    """

    revision: int = 0
    experiments: tuple[ExperimentRoute, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()


class ConfigAck(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's answer to a new config: from the next request on, this revision decides.

    Attributes:
        detail: what a person should know beside that, e.g. that it holds until the gateway ends; mostly empty.
    """

    revision: int
    detail: str = ""


class SetWeight(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change one experiment's weight.

    Attributes:
        revision: of the config that the asker saw; refused when another one holds. None: whatever holds.
    """

    experiment: str
    weight_bp: WeightBp
    revision: int | None = None


class Latch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everyone back to the control, and no weight until the latch is lifted."""

    experiment: str


class Unlatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights may rise again; the weight itself stays 0."""

    experiment: str
    reason: Annotated[str, Meta(min_length=1, max_length=1000)]


class RenewLease(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody judges these experiments now. Answered with `GatewayStatus`."""

    experiments: tuple[str, ...]


class UpgradeAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/upgrade: another gateway process shall take this one's place, with its sockets and its config.

    Attributes:
        python: interpreter of the environment that it is started from; the present one by default.
    """

    python: str | None = None


class UpgradeAck(msgspec.Struct, frozen=True, kw_only=True):
    """The new process serves; the old one only finishes what it had begun."""

    pid: int


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One replica; a removed one stays listed until its last answer has ended. Counters are since it was configured.

    Attributes:
        requests: that were sent to it, or could not be.
        failures: of them, those that count against it: it did not answer, or with 5xx.
        ejections: how often it was taken out of rotation.
        ejected: why it gets no requests now, in words; empty while it is in rotation.
    """

    name: str
    in_flight: int
    removed: bool = False
    requests: int = 0
    failures: int = 0
    ejections: int = 0
    ejected: str = ""


RUNGS = ("normal", "queue", "cap", "spill", "shed")
"""The ladder that an arm goes up under too many requests: they wait; answers are cut; the other arm answers; 429."""


class OverloadCounters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an arm did about too many requests, since the gateway started.

    Attributes:
        rung: how far up the ladder it is now, an index into `RUNGS`.
        waiting: requests in its queue now.
        shed_high, shed_normal, shed_low: requests that were refused with 429, by their priority.
        capped: requests whose `max_tokens` was lowered.
        spilled: requests of this arm that the other one answered.
    """

    rung: int = 0
    waiting: int = 0
    shed_high: int = 0
    shed_normal: int = 0
    shed_low: int = 0
    capped: int = 0
    spilled: int = 0


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Durations since the gateway started, counted by bucket.

    Attributes:
        bounds_s: upper bounds of all buckets but the last, seconds, rising.
        counts: durations in each bucket; the last one has those above all bounds.
        total_s: of all of them, seconds.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    total_s: float


class ArmCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the gateway started.

    Attributes:
        generation: of what serves now, see `Arm`; the counters are of those before it too.
        requests: accepted requests, streams included.
        errors: answered with 5xx by the gateway or the engine, or cut by the engine in mid-stream.
        cancelled: clients that left before the end.
        retries: requests that found a replica unreachable and were tried once more on their arm.
        in_flight: requests that engines work on; those that wait for a place are counted in `overload`.
        ttft, itl, e2e: to the first event of a stream, between two events, to the last byte; without the time in the
            queue. The first and the last are counted when an answer ends, however it does. None: it does not tell.
    """

    generation: int = 0
    requests: int
    errors: int
    cancelled: int
    in_flight: int
    retries: int = 0
    overload: OverloadCounters = OverloadCounters()
    replicas: tuple[ReplicaStatus, ...]
    ttft: Histogram | None = None
    itl: Histogram | None = None
    e2e: Histogram | None = None


class LeaseStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody judges an experiment.

    Attributes:
        left_s: seconds until it lapses without a renewal; 0 once it has.
        lapsed: nobody judges it: the treatment is at 0 while the control is healthy, and the weight may only fall.
        ended_s: in the answer to a renewal that ended a lapse: seconds that it lasted; 0 otherwise.
    """

    left_s: float
    lapsed: bool = False
    ended_s: float = 0.0


class RouteStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment as the gateway serves it now.

    Attributes:
        weight_bp: what was asked for.
        effective_weight_bp: what decides; 0 where the lease has lapsed and the control is healthy.
        latched: the weight is 0 and stays so until the latch is lifted.
        unkeyed: requests without a user.
        lease: None for a gateway that was started without one.
    """

    name: str
    weight_bp: int
    effective_weight_bp: int
    latched: bool
    control: ArmCounters
    treatment: ArmCounters
    unkeyed: int
    lease: LeaseStatus | None = None


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the control socket answers to GET /v1/status."""

    pid: int
    version: str
    revision: int
    listen: str
    routes: tuple[RouteStatus, ...]
    tee_dropped: int
    """Answers that were not judged because the analyser was behind or died."""
    tee_sampled_out: int = 0
    """Answers of users outside the sample that is judged while there are too many."""
