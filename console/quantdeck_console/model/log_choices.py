"""Which logs of a host can be looked at, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from quantdeck_console.model.engine_users import base_name
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.logs import LogSource


class LogChoice(NamedTuple):
    """Something to follow.

    Attributes:
        wanted: sources, or names of engines, which mean their newest start; empty for all that are live.
    """

    label: str
    wanted: tuple[str, ...] = ()


EVERYTHING = LogChoice("all that runs")


def choice_of(engine: EngineStatus) -> LogChoice:
    """An engine's log: of a replica just its own, since its siblings are started under the same name."""
    name = base_name(engine.name)
    if engine.name == name:
        return LogChoice(name, (name,))
    source = f"{name}.{engine.generation}"
    return LogChoice(source, (f"engine:{source}",))


def log_choices(sources: Sequence[LogSource], now: LogChoice) -> list[LogChoice]:
    """Everything, each engine by its name, its siblings, the others; also the present choice, whatever it is."""
    newest: dict[str, tuple[int, str]] = {}
    for one in sources:
        name, _, generation = one.source.removeprefix("engine:").rpartition(".")
        if name and one.source.startswith("engine:") and generation.isdigit():
            newest[name] = max(newest.get(name, (0, "")), (int(generation), one.source))
    running = {one.source for one in sources if one.live}
    named = {source: name for name, (_, source) in newest.items()}
    choices = [EVERYTHING]
    for one in sorted(sources, key=lambda one: not one.source.startswith("engine:")):
        if one.source in named and one.source in running:
            choices.append(LogChoice(named[one.source], (named[one.source],)))
        elif one.source in running:
            choices.append(LogChoice(one.source.removeprefix("engine:"), (one.source,)))
    return choices if now in choices else [*choices, now]


def after(now: LogChoice, choices: Sequence[LogChoice]) -> LogChoice:
    """The next one, round and round."""
    return choices[(choices.index(now) + 1) % len(choices)]
