"""What to do about what the headline says: actions of the registry, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_core.fleet.headline import Headline


def next_steps(headline: Headline, selected: str, pages: int) -> Iterator[tuple[str, str]]:
    """Ids of actions, each with what it does here.

    Args:
        selected: the host that keys act on.
        pages: that nobody has.
    """
    if headline.hosts and selected not in headline.hosts:
        yield "top", "goes there"
    elif headline.hosts:
        if headline.undone:
            yield "roll_back", "roll back"
        yield "open", "look"
        if headline.experiment:
            yield "incident", "what happened"
    if pages:
        yield "alarms", "who has it"
    if headline.bare:
        yield "deploy", "deploy an engine"
    if not headline.hosts and headline.rest:
        yield "unfreeze", "let it go on"
