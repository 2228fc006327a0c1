"""Messages between an agent and the gateway that it started.

Three channels: the config file and control socket (agent to gateway), and the stream of answer signals (the gateway's
analyser to the agent). The gateway never sees profiles, rollouts or verdicts.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

VariantName = Literal["control", "treatment"]
WeightBp = Annotated[int, Meta(ge=0, le=10_000)]


class Replica(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine behind an arm.

    Attributes:
        name: the engine's name on its host.
        url: its base, ``http://127.0.0.1:9001``; plain HTTP only.
        api_key: sent upstream as a bearer token; never logged, never shown.
    """

    name: str
    url: str
    api_key: str | None = None


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side of an experiment.

    Attributes:
        replicas: engines that answer for this arm; may be empty (the arm then answers 503).
        generation: rises whenever what serves the arm changed (another checkpoint, another start); answers carry it, so
            that a judge never mixes two models in one window.
    """

    replicas: tuple[Replica, ...] = ()
    generation: int = 0


class ExperimentRoute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one experiment's traffic is split.

    Attributes:
        name: goes into the hash, so renaming moves users.
        served_name: the model name that clients send; only looked at when a gateway has several experiments.
        weight_bp: basis points of users on the treatment.
    """

    name: str
    served_name: str
    weight_bp: WeightBp = 0
    control: Arm
    treatment: Arm


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a gateway needs, as one file that is replaced atomically.

    Attributes:
        revision: rises with every change; an older one is refused.
    """

    revision: int = 0
    experiments: tuple[ExperimentRoute, ...] = ()


class ConfigAck(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's answer to a new config: from the next request on, this revision decides."""

    revision: int


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """In-flight work of one replica; a removed one stays listed until its last answer has ended."""

    name: str
    in_flight: int
    removed: bool = False


class ArmCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the gateway started.

    Attributes:
        requests: accepted requests, streams included.
        errors: answered with 5xx by the gateway or the engine, or cut by the engine in mid-stream.
        cancelled: clients that left before the end.
    """

    requests: int
    errors: int
    cancelled: int
    in_flight: int
    replicas: tuple[ReplicaStatus, ...]


class RouteStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment as the gateway serves it now."""

    name: str
    weight_bp: int
    control: ArmCounters
    treatment: ArmCounters
    unkeyed: int
    """Requests without a user; they went to the control."""


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the control socket answers to GET /v1/status."""

    pid: int
    version: str
    revision: int
    listen: str
    routes: tuple[RouteStatus, ...]
    tee_dropped: int
    """Answers that were not judged because the analyser was behind."""


class AnswerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a finished answer beside its text.

    Attributes:
        user: first 16 hex digits of the split's SHA-256, or empty for a request without a user.
        t: UNIX time of the last byte, seconds.
        status: HTTP status of the engine's answer; 0 where the engine broke off before it ended.
        complete: the engine ended the answer itself (JSON body whole, or `[DONE]` seen).
    """

    experiment: str
    variant: VariantName
    generation: int
    replica: str
    user: str
    t: float
    status: int
    complete: bool
    stream: bool
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    ttft_ms: float | None
    e2e_ms: float

    @property
    def refused(self) -> bool:
        """The request itself was wrong (4xx): that says nothing about the model. A client that sends such requests must
        not be able to roll everyone back."""
        return 400 <= self.status < 500


class Answer(AnswerFacts, frozen=True, kw_only=True):
    """One finished answer in the analyser. It holds text: it is never written to a disk or a log."""

    text: str


class AnswerSignals(AnswerFacts, frozen=True, kw_only=True):
    """What the analyser makes of an answer: no text any more. Signals as in `TextSignals`.

    Attributes:
        seq: 1, 2, 3 ... within one analyser's life.
    """

    seq: int
    repetition: bool
    refusal: bool
    coherence: float
    words: int


class SignalsHello(msgspec.Struct, frozen=True, kw_only=True):
    """First line of the signal stream.

    Attributes:
        epoch: changes when the analyser restarts and `seq` begins again at 1.
        first_seq: oldest signals still held; older ones are gone.
    """

    epoch: str
    first_seq: int


class SignalsAsk(msgspec.Struct, frozen=True, kw_only=True):
    """First line from the agent: send what came after ``seq`` of that epoch, then go on as answers end."""

    epoch: str = ""
    after: int = 0
