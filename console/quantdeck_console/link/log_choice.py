"""Which of a host's logs are meant."""

from __future__ import annotations

from collections.abc import Sequence

from quantdeck_core.protocol.logs import LogSource


def chosen(wanted: Sequence[str], there: Sequence[LogSource], *, everything: bool = False) -> list[str]:
    """Sources in the order of the host's list.

    Args:
        wanted: `agent`, `gateway`, `engine:NAME.GENERATION`, or an engine's NAME, which means its newest generation;
            empty for all that are live.
        everything: those of engines that are gone too.
    """
    known = [one.source for one in there]
    if not wanted:
        return [one.source for one in there if one.live or everything]
    meant = {name if name in known else _newest(name.removeprefix("engine:"), known) for name in wanted}
    return [source for source in known if source in meant]


def _newest(engine: str, known: list[str]) -> str | None:
    generations = [
        int(generation)
        for name, _, generation in (source.removeprefix("engine:").rpartition(".") for source in known)
        if name == engine and generation.isdigit()
    ]
    return f"engine:{engine}.{max(generations)}" if generations else None
