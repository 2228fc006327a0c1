"""The freeze dialogs: hold all automation of the fleet but rollbacks, or let it go on."""

from __future__ import annotations

from collections.abc import Awaitable

from quantdeck_console.app import DeckApp
from quantdeck_console.freeze_text import FROZEN, UNFROZEN
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_core.fleet.cells import listed, plural
from quantdeck_core.protocol.requests import Applied, FreezeAsk

_MOVES = ("waiting", "soaking")


def freeze_form(deck: DeckApp, *, freeze: bool) -> Form:
    """Asks for a reason; Enter asks every host of the fleet."""
    names = list(deck.model.fleet.hosts)
    ablest = deck.model.ablest()
    first = ablest.name if ablest else names[0]

    def lines() -> list[Line]:
        return _freezes(deck) if freeze else _unfreezes(deck)

    def form(host: str, others: tuple[Form, ...] = ()) -> Form:
        def send(typed: Typed, request_id: str, _basis: int) -> Awaitable[Applied]:
            (reason,) = typed
            ask = FreezeAsk(request_id=request_id, by=deck.by, reason=reason)
            return deck.link.ask(host, lambda client: client.freeze(ask) if freeze else client.unfreeze(ask))

        return Form(
            host=host,
            title="freeze of the fleet" if freeze else "end of the freeze",
            verb="freeze" if freeze else "let it go on",
            lines=lines,
            fields=(Field(label="why", empty="Say why, for whoever reads the timeline tomorrow."),),
            send=send,
            others=others,
            done=FROZEN if freeze else UNFROZEN,
            noun="host",
            everywhere=True,
            key="freeze",
        )

    return form(first, tuple(form(name) for name in names if name != first))


def _freezes(deck: DeckApp) -> list[Line]:
    hosts = plural(len(deck.model.fleet.hosts), "host")
    return [
        EMPTY,
        *wrapped(f"Holds all automation on {hosts}: no rollout moves on by itself.", WIDTH),
        *_plans(deck, "it holds"),
        EMPTY,
        line(" Rollbacks still happen, and weights by hand are taken."),
        line(" Promote, finish and live drills are refused until it ends."),
        EMPTY,
    ]


def _unfreezes(deck: DeckApp) -> list[Line]:
    frozen = deck.model.standing.frozen
    said = wrapped(frozen.sentence, WIDTH, "strong", most=3) if frozen else [line(span(" nothing is frozen", "dim"))]
    return [EMPTY, *said, *_plans(deck, "these go on"), EMPTY]


def _plans(deck: DeckApp, verb: str) -> list[Line]:
    """Which plans move by themselves."""
    plans = [
        f"{one.progress.name} on {view.name}"
        for view, one in deck.model.experiments()
        if one.progress and one.progress.phase in _MOVES
    ]
    return wrapped(f"{verb}: {listed(plans)}", WIDTH, "dim", most=2) if plans else []
