"""Metrics in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from quantdeck_gateway.arm import CODE_CLASSES, Arm
from quantdeck_gateway.queue import RANK
from quantdeck_gateway.table import Route

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "quantdeck_gateway_"
_REPLICAS = {
    "in_flight": ("gauge", "Requests that a replica works on."),
    "in_rotation": ("gauge", "Whether a replica gets requests."),
    "requests_total": ("counter", "Requests that were sent to a replica, or could not be."),
    "failures_total": ("counter", "Requests that came to nothing because of a replica."),
    "ejections_total": ("counter", "How often a replica was taken out of rotation."),
}


def prometheus_text(routes: Iterable[Route], tee_dropped: int) -> str:
    """All series of the gateway; durations in seconds."""
    routes = tuple(routes)
    arms = [arm for route in routes for arm in (route.control, route.treatment)]
    lines = _family("requests_total", "counter", "Requests that ended, by how they ended.", arms, _requests)
    lines += _family("in_flight", "gauge", "Requests that are being answered.", arms, _in_flight)
    lines += _family("retries_total", "counter", "Requests that were tried once more on their arm.", arms, _retries)
    for field, (kind, text) in _REPLICAS.items():
        lines += _family(f"replica_{field}", kind, text, arms, partial(_replicas, field))
    lines += _family("ttft_seconds", "histogram", "Time to the first byte of a stream.", arms, _ttft)
    lines += _family("e2e_seconds", "histogram", "Time to the last byte of an answer.", arms, _e2e)
    lines += _family("overload_rung", "gauge", "0 normal, 1 queue, 2 cap, 3 spill, 4 shed.", arms, _rung)
    lines += _family("queued", "gauge", "Requests that wait for a place.", arms, _queued)
    lines += _family("queue_wait_seconds", "histogram", "How long those waited that got a place.", arms, _waited)
    lines += _family("shed_total", "counter", "Requests refused with 429, by their priority.", arms, _shed)
    lines += _family("capped_total", "counter", "Requests whose max_tokens was lowered.", arms, _capped)
    lines += _family("spilled_total", "counter", "Requests that the other variant answered.", arms, _spilled)
    lines += _head("tee_dropped_total", "counter", "Answers that were not judged because the analyser was behind.")
    lines.append(f"{_PREFIX}tee_dropped_total {tee_dropped}")
    lines += _head("unkeyed_total", "counter", "Requests without a user.")
    lines += [f'{_PREFIX}unkeyed_total{{experiment="{escape(route.name)}"}} {route.unkeyed}' for route in routes]
    return "\n".join(lines) + "\n"


def escape(value: str) -> str:
    """A label's value."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {_PREFIX}{name} {text}", f"# TYPE {_PREFIX}{name} {kind}"]


def _family(
    name: str, kind: str, text: str, arms: Iterable[Arm], series: Callable[[str, Arm, str], list[str]]
) -> list[str]:
    lines = _head(name, kind, text)
    for arm in arms:
        labels = f'experiment="{escape(arm.experiment)}",variant="{arm.variant}"'
        lines += series(_PREFIX + name, arm, labels)
    return lines


def _requests(name: str, arm: Arm, labels: str) -> list[str]:
    by_class = zip(CODE_CLASSES, arm.by_class, strict=True)
    return [f'{name}{{{labels},code="{code}"}} {count}' for code, count in by_class if count]


def _in_flight(name: str, arm: Arm, labels: str) -> list[str]:
    return [f"{name}{{{labels}}} {arm.in_flight}"]


def _retries(name: str, arm: Arm, labels: str) -> list[str]:
    return [f"{name}{{{labels}}} {arm.retries}"]


def _replicas(field: str, name: str, arm: Arm, labels: str) -> list[str]:
    lines = []
    for replica in arm.replicas:
        standing = replica.standing
        values = {
            "in_flight": replica.in_flight,
            "in_rotation": int(not standing.ejected),
            "requests_total": replica.requests,
            "failures_total": replica.failed,
            "ejections_total": standing.ejections,
        }
        lines.append(f'{name}{{{labels},replica="{escape(replica.name)}"}} {values[field]}')
    return lines


def _rung(name: str, arm: Arm, labels: str) -> list[str]:
    return [f"{name}{{{labels}}} {arm.overload.rung:d}"]


def _queued(name: str, arm: Arm, labels: str) -> list[str]:
    return [f"{name}{{{labels}}} {arm.overload.waiting}"]


def _waited(name: str, arm: Arm, labels: str) -> list[str]:
    return arm.overload.waited.lines(name, labels)


def _shed(name: str, arm: Arm, labels: str) -> list[str]:
    return [f'{name}{{{labels},priority="{priority}"}} {arm.overload.shed[rank]}' for priority, rank in RANK.items()]


def _capped(name: str, arm: Arm, labels: str) -> list[str]:
    return [f"{name}{{{labels}}} {arm.overload.capped}"]


def _spilled(name: str, arm: Arm, labels: str) -> list[str]:
    return [f"{name}{{{labels}}} {arm.overload.spilled}"]


def _ttft(name: str, arm: Arm, labels: str) -> list[str]:
    return arm.ttft.lines(name, labels)


def _e2e(name: str, arm: Arm, labels: str) -> list[str]:
    return arm.e2e.lines(name, labels)
