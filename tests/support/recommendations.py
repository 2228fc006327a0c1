"""Questions to the core of `quantdeck recommend`; `python -m support.recommendations` prints the table of its docs."""

from __future__ import annotations

import functools
import sys
from typing import Any

import quantdeck_profiles.data
from quantdeck_core.compat.rules import parse_rules
from quantdeck_core.fleet.cells import gigabytes
from quantdeck_core.formats.checkpoint import Checkpoint
from quantdeck_core.hardware.device import Devices, parse_devices
from quantdeck_core.memory.estimates import parse_estimates
from quantdeck_core.memory.plan import plan
from quantdeck_core.memory.room import Site
from quantdeck_core.recommend.answer import Answer, Recommendation
from quantdeck_core.recommend.options import parse_options
from quantdeck_core.recommend.question import Question
from quantdeck_core.recommend.recommend import recommend
from quantdeck_core.recommend.shapes import model_of_size, usual_shape

OPTIONS = parse_options(quantdeck_profiles.data.text("recommendations"))
RULES = parse_rules(quantdeck_profiles.data.text("compatibility"))
DEVICES = Devices(parse_devices(quantdeck_profiles.data.text("devices"), "devices.toml"))
PLAN = functools.partial(plan, given=parse_estimates(quantdeck_profiles.data.text("memory")))
GIB = 1 << 30

TYPICAL: dict[str, dict[str, Any]] = {
    "70B, 4 x A100": {"gpu": "a100-80gb", "amount": 4, "size": 70},
    "70B, 4 x A100, throughput first": {"gpu": "a100-80gb", "amount": 4, "size": 70, "first": "throughput"},
    "70B, 4 x A100, quality first": {"gpu": "a100-80gb", "amount": 4, "size": 70, "first": "quality"},
    "70B, 4 x A100, latency first": {"gpu": "a100-80gb", "amount": 4, "size": 70, "first": "latency"},
    "70B, 4 x A100 without NVLink": {"gpu": "a100-80gb", "amount": 4, "size": 70, "interconnect": "pcie"},
    "8B, one H100": {"gpu": "h100-80gb", "size": 8},
    "8B, one H100, memory first": {"gpu": "h100-80gb", "size": 8, "first": "memory"},
    "13B, one H100": {"gpu": "h100-80gb", "size": 13},
    "70B, one H100": {"gpu": "h100-80gb", "size": 70},
    "405B, 16 x H100": {"gpu": "h100-80gb", "amount": 16, "size": 405},
    "7B, one A100, 8192 tokens": {"gpu": "a100-80gb", "size": 7, "context": 8192},
    "8B, one L4": {"gpu": "l4", "size": 8},
    "7B, one T4": {"gpu": "t4", "size": 7},
    "34B, 4 x L4": {"gpu": "l4", "amount": 4, "size": 34},
    "8B, RTX 4090, one user": {"gpu": "rtx4090", "size": 8, "sequences": 1, "first": "latency"},
    "70B, Jetson AGX Orin": {"gpu": "jetson-orin-64gb", "size": 70},
    "8B, Apple M4 with 16 GB": {"gpu": "m4-16gb", "size": 8},
    "3B, Raspberry Pi 5 with 8 GB": {"gpu": "rpi5-8gb", "size": 3},
    "70B, 2 x MI300X": {"gpu": "mi300x", "amount": 2, "size": 70},
    "8B, CPU with 32 GiB": {"gpu": "cpu", "ram": 32 * GIB, "size": 8},
    "8B, CPU with 32 GiB, quality first": {"gpu": "cpu", "ram": 32 * GIB, "size": 8, "first": "quality"},
    "13B, CPU with 16 GiB, 8192 tokens": {"gpu": "cpu", "ram": 16 * GIB, "size": 13, "context": 8192},
    "70B, CPU with 32 GiB": {"gpu": "cpu", "ram": 32 * GIB, "size": 70},
    "13B, one A100, fine-tuning": {"gpu": "a100-80gb", "size": 13, "use": "fine-tuning"},
    "70B, one L4": {"gpu": "l4", "size": 70},
}
"""Row of the table -> arguments of `ask`."""


def ask(
    gpu: str,
    *,
    size: float = 0,
    model: Checkpoint | None = None,
    amount: int = 1,
    ram: int | None = None,
    profiles: tuple[str, ...] = (),
    **more: Any,
) -> Recommendation:
    """What is recommended.

    Args:
        size: parameters, 10^9, where there is no model.
        more: fields of `Question`.
    """
    site = Site(DEVICES.named(gpu), amount, ram)
    if model is None:
        shape = usual_shape(round(size * 1e9), OPTIONS.shape)
        model, more = model_of_size(round(size * 1e9), shape), {"shape_of": shape.name, **more}
    return recommend(Question(site=site, model=model, **more), OPTIONS, RULES, PLAN, tuple(DEVICES), profiles)


def of(said: Recommendation, title: str) -> Answer:
    """The answer whose title begins so."""
    return next(answer for answer in said.answers if answer.title.startswith(title))


def titles(said: Recommendation) -> list[str]:
    """From the best to the last."""
    return [answer.title for answer in said.answers]


def table() -> str:
    """Markdown."""
    lines = [
        "| question | answer | engine | TP x PP | replicas | weights a GPU | at once | then |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, question in TYPICAL.items():
        said = ask(**question)
        then = ", ".join(titles(said)[1:3])
        if said.answers:
            one = said.answers[0]
            cells = (
                one.title, one.engine, f"{one.tensor_parallel} x {one.pipeline_parallel}", str(one.replicas),
                gigabytes(one.weights_bytes_per_gpu), str(one.max_concurrency), then or "-",
            )  # fmt: skip
        else:
            cells = (f"nothing fits; {_nearest(said)}", "-", "-", "-", "-", "-", "-")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _nearest(said: Recommendation) -> str:
    nearest = said.nearest
    return "" if nearest is None else f"{nearest.title} would on {nearest.devices} of them, or on {nearest.device}"


if __name__ == "__main__":
    sys.stdout.write(table())
