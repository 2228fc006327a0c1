"""A rollout's progress as text."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.durations import spoken
from quantdeck_core.hashing import bp_to_percent
from quantdeck_core.protocol.requests import Steering
from quantdeck_core.rollout.progress import RolloutProgress

STEERED: dict[Steering, str] = {
    "pause": "paused; the weight stays",
    "resume": "goes on",
    "promote": "on to the next step",
    "abort": "ended, everyone on the control",
}
"""What holds once a plan was steered so."""


def left_of_step(progress: RolloutProgress) -> str:
    """``4 h of soak and 687 answers``; empty where the step has all it takes."""
    soak, answers = progress.soak_s - progress.soaked_s, progress.min_outputs - progress.outputs
    parts = [f"{spoken(soak)} of soak"] * (soak > 0) + [f"{answers:,} answers"] * (answers > 0)
    return " and ".join(parts)


def progress_lines(host: str, progress: RolloutProgress) -> Iterator[str]:
    """Where it stands on a host, and what it waits for."""
    yield f"{host}: {progress.name}, step {progress.step} of {progress.steps}: {progress.phase}"
    following = f", then {bp_to_percent(progress.next_bp)} %" if progress.next_bp is not None else ""
    yield f"  weight    {bp_to_percent(progress.weight_bp)} %{following}"
    yield f"  soaked    {spoken(progress.soaked_s)} of {spoken(progress.soak_s)}"
    yield f"  answers   {progress.outputs:,} of {progress.min_outputs:,}"
    if progress.left_s is not None:
        yield f"  next step in about {spoken(progress.left_s)} if all stays well"
    yield from (f"  waits for {one}" for one in progress.waits_for)
    yield from (f"  skipped   {one}" for one in progress.skipped)
