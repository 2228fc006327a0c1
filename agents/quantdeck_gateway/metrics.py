"""What the gateway tells Prometheus: one row a family.

Seconds and counts as vLLM and OpenTelemetry's conventions for generative AI have them; docs/gateway.md says which of
theirs each name stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from quantdeck_gateway.access_log import AccessLog
from quantdeck_gateway.api_keys import Key, Keys
from quantdeck_gateway.arm import CODE_CLASSES, Arm
from quantdeck_gateway.families import Family, labels_of, lines_of
from quantdeck_gateway.queue import RANK
from quantdeck_gateway.replica import Replica
from quantdeck_gateway.table import Route
from quantdeck_gateway.tee import Tee

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Process(NamedTuple):
    """What a process counts that is of no experiment."""

    tee: Tee | None
    keys: Keys
    access_log: AccessLog | None


_OF_ARM = (
    Family[Arm](
        "requests_total",
        "counter",
        "Requests that ended, by status class, or by how else they ended.",
        lambda arm: dict(zip(CODE_CLASSES, arm.by_class, strict=True)),
        "code",
    ),
    Family[Arm]("in_flight", "gauge", "Requests that are being answered.", lambda arm: arm.in_flight),
    Family[Arm](
        "retries_total", "counter", "Requests that were tried once more on their arm.", lambda arm: arm.retries
    ),
    Family[Arm]("ttft_seconds", "histogram", "Time to the first event of a stream.", lambda arm: arm.ttft),
    Family[Arm]("itl_seconds", "histogram", "Time between two events of a stream.", lambda arm: arm.itl),
    Family[Arm]("e2e_seconds", "histogram", "Time to the last byte of an answer.", lambda arm: arm.e2e),
    Family[Arm](
        "overload_rung", "gauge", "0 normal, 1 queue, 2 cap, 3 spill, 4 shed.", lambda arm: int(arm.overload.rung)
    ),
    Family[Arm]("queued", "gauge", "Requests that wait for a place.", lambda arm: arm.overload.waiting),
    Family[Arm](
        "queue_wait_seconds",
        "histogram",
        "How long those waited that got a place.",
        lambda arm: arm.overload.waited,
    ),
    Family[Arm](
        "shed_total",
        "counter",
        "Requests refused with 429, by their priority.",
        lambda arm: dict(zip(RANK, arm.overload.shed, strict=True)),
        "priority",
    ),
    Family[Arm]("capped_total", "counter", "Requests whose max_tokens was lowered.", lambda arm: arm.overload.capped),
    Family[Arm](
        "spilled_total", "counter", "Requests that the other variant answered.", lambda arm: arm.overload.spilled
    ),
    Family[Arm](
        "prompt_tokens_total",
        "counter",
        "Tokens of prompts, as engines report them with the answers that were analysed.",
        lambda arm: arm.prompt_tokens,
    ),
    Family[Arm](
        "generation_tokens_total",
        "counter",
        "Tokens of answers, as engines report them with the answers that were analysed.",
        lambda arm: arm.generation_tokens,
    ),
    Family[Arm](
        "feedback_total", "counter", "Ratings of answers, by what they say.", lambda arm: arm.feedback, "rating"
    ),
    Family[Arm](
        "loops_cut_total", "counter", "Streamed answers that were ended as endless loops.", lambda arm: arm.loops_cut
    ),
    Family[Arm](
        "shadow_in_flight",
        "gauge",
        "Copies of the other arm's requests that this arm answers for the judge.",
        lambda arm: len(arm.shadows.running),
    ),
    Family[Arm](
        "shadow_requests_total",
        "counter",
        "Copies of the other arm's requests, by how they ended; skipped: there was no room for them.",
        lambda arm: arm.shadows.ended,
        "end",
    ),
)
_OF_REPLICA = (
    Family[Replica]("replica_in_flight", "gauge", "Requests that a replica works on.", lambda one: one.in_flight),
    Family[Replica](
        "replica_in_rotation",
        "gauge",
        "Whether a replica gets requests.",
        lambda one: int(not (one.removed or one.standing.ejected)),
    ),
    Family[Replica](
        "replica_requests_total",
        "counter",
        "Requests that were sent to a replica, or could not be.",
        lambda one: one.requests,
    ),
    Family[Replica](
        "replica_failures_total",
        "counter",
        "Requests that came to nothing because of a replica.",
        lambda one: one.failed,
    ),
    Family[Replica](
        "replica_ejections_total",
        "counter",
        "How often a replica was taken out of rotation.",
        lambda one: one.standing.ejections,
    ),
)
_OF_ROUTE = (
    Family[Route](
        "weight_bp",
        "gauge",
        "Users on the treatment, in basis points, as configured.",
        lambda route: route.config.weight_bp,
    ),
    Family[Route](
        "effective_weight_bp", "gauge", "Users on the treatment now: 0 without a judge.", lambda route: route.weight_bp
    ),
    Family[Route](
        "latched", "gauge", "Whether a rollback holds until somebody lifts it.", lambda route: int(route.config.latched)
    ),
    Family[Route]("lapsed", "gauge", "Whether nobody has renewed the lease.", lambda route: int(route.lapsed)),
    Family[Route]("unkeyed_total", "counter", "Requests without a user.", lambda route: route.unkeyed),
)
_OF_KEY = (
    Family[Key]("key_requests_total", "counter", "Requests that came with an API key.", lambda key: key.requests),
)
_OF_PROCESS = (
    Family[Process](
        "tee_dropped_total",
        "counter",
        "Answers that were not judged because the analyser was behind or died.",
        lambda process: process.tee.dropped if process.tee else 0,
    ),
    Family[Process](
        "tee_sampled_out_total",
        "counter",
        "Answers that were not judged because their users were outside the sample.",
        lambda process: process.tee.sampled_out if process.tee else 0,
    ),
    Family[Process](
        "unauthorized_total", "counter", "Requests without an API key that holds.", lambda process: process.keys.refused
    ),
    Family[Process](
        "access_log_dropped_total",
        "counter",
        "Lines of the access log that the disk did not take.",
        lambda process: process.access_log.dropped if process.access_log else 0,
    ),
)


def prometheus_text(routes: Iterable[Route], process: Process) -> str:
    """All series of the gateway; durations in seconds."""
    routes = tuple(routes)
    arms = [(labels_of(experiment=route.name, variant=arm.variant), arm) for route in routes for arm in route.arms]
    replicas = [
        (labels_of(labels, replica=one.name), one) for labels, arm in arms for one in arm.replicas + arm.draining
    ]
    lines = lines_of(_OF_ARM, arms)
    lines += lines_of(_OF_REPLICA, replicas)
    lines += lines_of(_OF_ROUTE, [(labels_of(experiment=route.name), route) for route in routes])
    lines += lines_of(_OF_KEY, [(labels_of(key=key.name), key) for key in process.keys.all()])
    lines += lines_of(_OF_PROCESS, [("", process)])
    return "\n".join(lines) + "\n"
