"""How the fit check of one host stands: a word for its row, and why nothing may begin there yet."""

from __future__ import annotations

from dataclasses import dataclass

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.text import Tone
from quantdeck_core.fleet.cells import age
from quantdeck_core.fleet.health import health
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.operation import Intended
from quantdeck_core.protocol.requests import Deploy

CHECK_EVERY_S = 8.0
"""A check takes up to a second of an agent's time."""
CHECK_COUNTS_S = 20.0
"""Two checks and their way were missed: what was free then says nothing about now."""


@dataclass(frozen=True)
class Standing:
    """A check, judged.

    Attributes:
        blocks: why a deployment cannot begin there, and what to do; empty where it can.
        current: what was answered still counts; else it is shown grey or not at all.
    """

    word: str
    tone: Tone
    blocks: str = ""
    current: bool = True


def standing(asked: Asked[Intended], view: HostView, wish: Deploy, now: float) -> Standing:
    """What the newest answer, or its absence, means for a wish."""
    if view.link.state != "connected" or health(view, now).level == "stale":
        return Standing(
            "unreachable ?", "stale", f"{view.name} is not reached: nothing can begin there.", current=False
        )
    if asked.error is not None:
        blocks = f"{view.name}: {asked.error.detail} {asked.error.hint}".strip()
        return Standing("cannot x", "warn", blocks, current=False)
    if asked.value is None or asked.at is None:
        return Standing("checking ...", "dim", f"{view.name} is still being checked.", current=False)
    if now - asked.at > CHECK_COUNTS_S:
        old = f"The check of {view.name} is {age(now - asked.at)} old; it is asked again."
        return Standing("old check ?", "stale", old, current=False)
    return _answered(asked.value, view.name, wish)


def _answered(intended: Intended, host: str, wish: Deploy) -> Standing:
    forced = wish.force and intended.refusal is not None
    if intended.outage and intended.kind != "swap" and not forced:
        return Standing(
            "no room !",
            "warn",
            f"{host} has no room for both: s swaps, without {intended.engine} for {intended.outage}.",
        )
    if intended.refusal is not None and not forced:
        return Standing("refused x", "warn", f"{host} refuses it: {intended.refusal.detail} F forces it.")
    if intended.refusal is not None:
        return Standing("forced !", "warn")
    if intended.planned_bytes is None and intended.note:
        return Standing("not planned !", "warn")
    words = {"replace": "replaces", "swap": "swaps !"}
    return Standing(words.get(intended.kind, "fits"), "warn" if intended.kind == "swap" else "ok")
