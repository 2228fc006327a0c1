"""The bench pane as lines: how long users of both arms wait, and what was measured past them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.glyphs import Glyphs
from quantdeck_console.model.latency_plot import SIGNALS, Plot, plot_lines
from quantdeck_console.model.profile_table import profile_lines
from quantdeck_console.model.text import EMPTY, Line, Tone, beside, ends, greyed, line, span, wrapped
from quantdeck_core.durations import spoken
from quantdeck_core.fleet.cells import age, short_duration
from quantdeck_core.protocol.canary import LatencyState
from quantdeck_core.protocol.distributions import RECENT_S, ArmDistributions, Cut, Distributions, LatencySignal

STALE_S = 5.0
"""The gateway is read every second, and the agent asked every two."""

_CUTS: dict[Cut, str] = {
    "": "",
    "agent": "the agent reads the gateway since then",
    "gateway": "the gateway was started anew",
    "engine": "another engine serves since then",
}


@dataclass(frozen=True)
class Wish:
    """What is to be seen.

    Attributes:
        signals: side by side, or `stacked` one below the other.
        whole: since the gateway counts, not only lately.
        names: profiles of control and treatment, where they are known.
    """

    signals: tuple[LatencySignal, ...]
    whole: bool = False
    stacked: bool = False
    names: tuple[str, str] = ("", "")


def bench_lines(
    live: Asked[Distributions],
    measured: Asked[LatencyState],
    wish: Wish,
    stale: Sequence[Line],
    now: float,
    width: int,
    height: int,
    glyphs: Glyphs,
) -> list[Line]:
    """All of the pane; `stale` says why nothing that the host told is current, where that is so."""
    told = live.value
    old = [*stale, *([] if stale else _old(live, now, width))]
    shown = distribution_lines(told, wish, width, glyphs) if told else []
    below = _measured_lines(live, measured, now, width, glyphs)
    if below:
        shown += [*([EMPTY] if len(old) + len(shown) + len(below) < height else []), *below]
    if old:
        return [*old, *greyed(shown)]
    return shown or [line(span(" asking the agent ...", "dim"))]


def _measured_lines(
    live: Asked[Distributions], measured: Asked[LatencyState], now: float, width: int, glyphs: Glyphs
) -> list[Line]:
    objectives = live.value.objectives if live.value else ()
    if measured.value is not None:
        return profile_lines(measured.value, objectives, now, width, glyphs)
    if measured.error and not live.error:
        return wrapped(f"MEASURED: {measured.error.detail}", width, "dim", most=2)
    return []


def distribution_lines(told: Distributions, wish: Wish, width: int, glyphs: Glyphs) -> list[Line]:
    """The signals that are wished for, and of what time they are."""
    control, treatment = told.control, told.treatment
    if control is None or treatment is None:
        return wrapped("the gateway of this host has told nothing of this experiment yet", width, "dim")
    arms = (control, treatment)
    lines = [_time_line(arms, wish, width), *_cuts(arms, wish, width)]
    if not any(arm.of(signal).counted(whole=wish.whole).total for arm in arms for signal in SIGNALS):
        return [*lines, EMPTY, *_nothing(arms, wish, width)]
    panel = width if wish.stacked else width // len(wish.signals)
    panels = [
        plot_lines(
            Plot.of(told, (control.of(signal), treatment.of(signal)), signal, whole=wish.whole),
            wish.names,
            panel,
            glyphs,
        )
        for signal in wish.signals
    ]
    if wish.stacked:
        return [*lines, *(one for group in panels for one in (EMPTY, *group))]
    return [*lines, *beside(panels, panel)]


def bench_sentence(told: Distributions, signal: LatencySignal) -> str:
    """The 95th percentiles in words, as copied with `y`."""
    parts = []
    for word, arm in (("control", told.control), ("treatment", told.treatment)):
        found = arm.of(signal).recent.percentiles if arm else None
        parts.append(f"{word} {short_duration(found.p95_ms) if found else 'not measured'}")
    promised = [f"{short_duration(one.p95_ms)}" for one in told.objectives if one.signal == signal]
    objective = f", objective {' and '.join(promised)}" if promised else ""
    return f"{SIGNALS[signal].title} p95 of the last minutes: {', '.join(parts)}{objective}"


def _time_line(arms: tuple[ArmDistributions, ArmDistributions], wish: Wish, width: int) -> Line:
    if wish.whole:
        said = "since the gateway counts, whatever served"
    elif any(arm.cut for arm in arms):
        said = f"at the gateway, at most {spoken(RECENT_S)}"
    else:
        said = f"at the gateway, last {spoken(RECENT_S)}"
    one = wish.signals[0] if len(wish.signals) == 1 else None
    tabs = "  ".join(f"[{found.title}]" if name == one else found.title for name, found in SIGNALS.items())
    return ends(line(span(f" {said}", "dim")), line(span(f"{tabs} ", "strong")) if one else (), width)


def _cuts(arms: tuple[ArmDistributions, ArmDistributions], wish: Wish, width: int) -> list[Line]:
    """Why it is less than the last minutes."""
    if wish.whole:
        return []
    control, treatment = (_cut(arm) for arm in arms)
    if control == treatment:
        said = [control]
    else:
        said = [f"{word}: {text}" for word, text in (("control", control), ("treatment", treatment)) if text]
    # That an agent is young is no news of the arms.
    tone: Tone = "dim" if {arm.cut for arm in arms} <= {"", "agent"} else "strong"
    return [one for text in said if text for one in wrapped(text, width, tone, most=1)]


def _cut(arm: ArmDistributions) -> str:
    return f"the last {spoken(arm.covers_s)} only: {_CUTS[arm.cut]}" if arm.cut else ""


def _nothing(arms: tuple[ArmDistributions, ArmDistributions], wish: Wish, width: int) -> list[Line]:
    if wish.whole:
        return wrapped("no request has been answered since the gateway counts", width, "strong")
    before = sum(arm.e2e.whole.total for arm in arms)
    more = f"; {before:,} before that" if before else ""
    return wrapped(f"no request was answered in this time{more}", width, "strong")


def _old(live: Asked[Distributions], now: float, width: int) -> list[Line]:
    """Why what is shown is not current; nothing while it is."""
    told, error = live.value, live.error
    lines = wrapped(f"x {error.title}: {error.detail}", width, "warn", most=3) if error else []
    silent = 0.0 if live.at is None else now - live.at
    if silent > STALE_S:
        return [*lines, *wrapped(f"these are from {age(silent)} ago", width, "strong")]
    if told and told.age_s is not None and told.age_s > STALE_S:
        return [*lines, *wrapped(f"the gateway has not answered for {age(told.age_s)}", width, "strong")]
    return lines
