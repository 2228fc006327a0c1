"""What the deploy pane asks before it changes something: a deployment, and the end of an operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from quantdeck_console.app import DeckApp
from quantdeck_console.model.deploy_order import Order, users_of
from quantdeck_console.model.text import EMPTY, Line, Span, left, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Form
from quantdeck_core.fleet.cells import clock, plural
from quantdeck_core.fleet.operation_text import progress_line, title
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Applied, Cancel

_ALONE = 5
"""So many hosts have lines of their own; more are listed together."""
Found = tuple[Order, ...] | str
"""The orders that there would be now, or why there are none."""


def deploy_form(deck: DeckApp, said: tuple[Order, ...], now: Callable[[], Found]) -> Form:
    """Says what happens on each host; `y` does it, and where something is forced, the engine's name.

    Args:
        said: what is confirmed: as soon as `now` differs, nothing can be confirmed any more.
    """
    first = said[0].request
    engine = first.name or first.profile.name
    forced = any(order.forced for order in said)

    def send(_typed: str, _request_id: str, _basis: int) -> None:
        deck.start_deployments(said)

    return Form(
        host=said[0].host,
        title=f"deploy {first.profile.name} as {engine} on {_hosts(said)}",
        verb="force it" if forced else "deploy",
        lines=lambda: _deploy_lines(deck, said, engine),
        label=f"type {engine} to force it" if forced else "",
        target=engine if forced else "",
        blocks=lambda: _changed(said, now()),
        send=send,
    )


def _hosts(orders: Sequence[Order]) -> str:
    return orders[0].host if len(orders) == 1 else plural(len(orders), "host")


def _changed(said: tuple[Order, ...], now: Found) -> str:
    if isinstance(now, str):
        return f"{now} Nothing can be begun as it is said here."
    if [order.key for order in now] != [order.key for order in said]:
        return "The check says something else by now. Esc, then Enter says what."
    return ""


def _deploy_lines(deck: DeckApp, said: tuple[Order, ...], engine: str) -> list[Line]:
    profile = said[0].request.profile
    lines = [EMPTY, *wrapped(f"{profile.name}: {profile.model} on {profile.engine}", WIDTH, "", most=2), EMPTY]
    if len(said) <= _ALONE:
        for order in said:
            lines += _order(deck, order, engine)
    else:
        for does in dict.fromkeys(order.does for order in said):
            hosts = [order.host for order in said if order.does == does]
            lines += wrapped(f"{does}: {', '.join(hosts)}", WIDTH, "strong", most=3)
    for order in said if len(said) > _ALONE else ():
        lines += _outage(order, engine)[:1]
    return [*lines, EMPTY]


def _order(deck: DeckApp, order: Order, engine: str) -> list[Line]:
    view = deck.model.fleet.hosts.get(order.host)
    users = users_of(view, engine) if view else ""
    said = f"{order.does} ({users})" if users and not order.again else order.does
    does = wrapped(said, WIDTH - 17, "", indent="", most=4)
    names = [order.host, *[""] * len(does)]
    lines = [(Span(" "), *left(name, 14, "strong"), Span(" "), *one) for name, one in zip(names, does, strict=False)]
    return lines + _outage(order, engine)


def _outage(order: Order, engine: str) -> list[Line]:
    lines: list[Line] = []
    if order.outage:
        lines += wrapped(f"! {order.host}: nobody is served by {engine} for {order.outage}", WIDTH, "warn", most=2)
    if order.forced:
        lines += wrapped(f"! forced on {order.host}: {order.forced} Who forced it is recorded.", WIDTH, "warn", most=3)
    return lines


def cancel_form(deck: DeckApp, host: str, operation: Operation) -> Form:
    """Says what is ended; `y` ends it."""

    def now() -> Operation:
        view = deck.model.fleet.hosts.get(host)
        known = view.status.operations if view and view.status else ()
        return next((one for one in known if one.id == operation.id), operation)

    def send(_typed: str, request_id: str, _basis: int) -> Awaitable[Applied]:
        ask = Cancel(request_id=request_id, by=deck.by)
        return deck.link.ask(host, lambda client: client.cancel(operation.id, ask))

    return Form(
        host=host,
        title=f"end {operation.id} on {host} and undo it",
        verb="end and undo it",
        lines=lambda: _cancel_lines(now()),
        send=send,
    )


def _cancel_lines(operation: Operation) -> list[Line]:
    return [
        EMPTY,
        line(
            " ",
            span(title(operation), "strong"),
            span(f"  by {operation.by or 'somebody'} {clock(operation.at)}", "dim"),
        ),
        *wrapped(progress_line(operation), WIDTH, "", indent="   ", most=2),
        EMPTY,
        *wrapped(
            "What it has begun is ended and undone; what served before goes on, or comes back.", WIDTH, "", most=2
        ),
        EMPTY,
    ]
