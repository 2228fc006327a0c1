"""What the deploy pane asks before it changes something: a deployment, and the end of an operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from quantdeck_console.app import DeckApp
from quantdeck_console.model.deploy_order import Order, users_of
from quantdeck_console.model.deploy_said import said_lines
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_core.fleet.cells import clock, plural
from quantdeck_core.fleet.operation_text import progress_line, title
from quantdeck_core.protocol.operation import Operation
from quantdeck_core.protocol.requests import Applied, Cancel

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

    def send(_typed: Typed, _request_id: str, _basis: int) -> None:
        deck.runs.deploy(said)

    return Form(
        host=said[0].host,
        title=f"deploy {first.profile.name} as {engine} on {_hosts(said)}",
        verb="force it" if forced else "deploy",
        lines=lambda: said_lines(said, _users(deck, said, engine), WIDTH),
        fields=(Field(label="its name", target=engine),) if forced else (),
        blocks=lambda: _changed(said, now()),
        send=send,
    )


def _hosts(orders: Sequence[Order]) -> str:
    return orders[0].host if len(orders) == 1 else plural(len(orders), "host")


def _users(deck: DeckApp, orders: Sequence[Order], engine: str) -> dict[str, str]:
    """Who is served by what is replaced, as the fleet is now."""
    hosts = deck.model.fleet.hosts
    replaced = (order.host for order in orders if order.request.replace)
    return {host: users_of(hosts[host], engine) for host in replaced}


def _changed(said: tuple[Order, ...], now: Found) -> str:
    if isinstance(now, str):
        return f"{now} Nothing can be begun as it is said here."
    if [order.key for order in now] != [order.key for order in said]:
        return "The check says something else by now. Esc, then Enter says what."
    return ""


def cancel_form(deck: DeckApp, host: str, operation: Operation) -> Form:
    """Says what is ended; `y` ends it."""

    def now() -> Operation:
        view = deck.model.fleet.hosts.get(host)
        known = view.status.operations if view and view.status else ()
        return next((one for one in known if one.id == operation.id), operation)

    async def send(_typed: Typed, request_id: str, _basis: int) -> Applied:
        ask = Cancel(request_id=request_id, by=deck.by)
        applied = await deck.link.ask(host, lambda client: client.cancel(operation.id, ask))
        # The answer names what has ended: nothing has begun that could be followed.
        return msgspec.structs.replace(applied, operation="")

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
