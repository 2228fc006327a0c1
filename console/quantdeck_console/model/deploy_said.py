"""What a confirmation says before anything begins: every host, what happens there, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quantdeck_console.model.deploy_order import Order
from quantdeck_console.model.text import EMPTY, Line, Span, Tone, left, wrapped

_ROOM = 10
"""Lines that a dialog has for hosts at 80x24, with a field and an answer below."""
_NAME = 30


def said_lines(orders: Sequence[Order], users: Mapping[str, str], width: int) -> list[Line]:
    """A host at a time; where that would not fit, hosts of which the same is true together.

    Args:
        users: by host, who is served by the engine that is replaced.
    """
    request = orders[0].request
    profile, engine = request.profile, request.name or request.profile.name
    lines = [EMPTY, *wrapped(f"{profile.name}: {profile.model} on {profile.engine}", width, "", most=2), EMPTY]
    name = min(_NAME, max(len(order.host) for order in orders))
    alone = [one for order in orders for one in _alone(order, users.get(order.host, ""), engine, name, width)]
    lines += alone if len(alone) <= _ROOM else _together(orders, users, engine, width)
    if any(order.forced for order in orders):
        lines += [EMPTY, *wrapped(f"Who forced it is recorded. Type {engine} to force it:", width, "strong", most=2)]
    return [*lines, EMPTY]


def _alone(order: Order, users: str, engine: str, name: int, width: int) -> list[Line]:
    said = f"{order.does}. It is the {users}." if users else order.does
    does = wrapped(said, width - name - 4, "", indent="", most=4)
    lines = [
        (Span(" "), *left("" if number else order.host, name, "strong"), Span("  "), *one)
        for number, one in enumerate(does)
    ]
    if order.outage:
        lines += wrapped(f"! nobody is served by {engine} for {order.outage}", width, "warn", indent="   ", most=2)
    if order.forced:
        lines += wrapped(f"! forced: {order.forced}", width, "warn", indent="   ", most=3)
    return lines


def _together(orders: Sequence[Order], users: Mapping[str, str], engine: str, width: int) -> list[Line]:
    """What happens first, then what speaks against it; each with all hosts of which it is true."""
    said: dict[tuple[str, Tone], list[str]] = {}
    for order in orders:
        said.setdefault((order.does, "strong"), []).append(order.host)
    for order in orders:
        whose = users.get(order.host, "")
        facts: tuple[tuple[str, Tone], ...] = (
            (f"it is the {whose}" if whose else "", ""),
            (f"! nobody is served by {engine} for {order.outage}" if order.outage else "", "warn"),
            ("! forced although refused" if order.forced else "", "warn"),
        )
        for fact in facts:
            if fact[0]:
                said.setdefault(fact, []).append(order.host)
    return [
        one
        for (what, tone), hosts in said.items()
        for one in wrapped(f"{what}: {', '.join(hosts)}", width, tone, most=3)
    ]
