"""Dialogs that stop an engine or start it anew: who is on it, and what becomes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from quantdeck_console.app import DeckApp
from quantdeck_console.model.engine_users import base_name, users_of
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_core.durations import spoken
from quantdeck_core.fleet.cells import plural
from quantdeck_core.fleet.operation_text import title
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.host import HostStatus
from quantdeck_core.protocol.requests import Applied, Restart, Stop


def stop_form(deck: DeckApp, host: str, engine: EngineStatus) -> Form:
    """Asks for the engine's name; Enter ends it."""
    name = base_name(engine.name)

    def send(_typed: Typed, request_id: str, _basis: int) -> Awaitable[Applied]:
        wish = Stop(request_id=request_id, by=deck.by)
        return deck.link.ask(host, lambda client: client.stop(name, wish))

    def does(status: HostStatus) -> list[Line]:
        return [
            *wrapped(f"{name} gets no new requests, its answers end, then it is ended.", WIDTH),
            *_under_way(name, status),
            *_cancelled(name, status),
            *_users(name, status, goes=True),
            EMPTY,
            line(" It stays stopped until somebody deploys it. ", span(f"Type {name} to do it.", "strong")),
            EMPTY,
        ]

    return Form(
        host=host,
        title=f"stop {name} on {host}",
        verb="stop it",
        lines=_now(deck, host, name, does),
        fields=(Field(label="its name", target=name),),
        send=send,
    )


def restart_form(deck: DeckApp, host: str, engine: EngineStatus, *, swap: bool = False) -> Form:
    """`y` starts new processes of the profile that it has.

    Args:
        swap: the old one goes first: then its name has to be typed, since nobody is served by it meanwhile.
    """
    name = base_name(engine.name)

    def send(_typed: Typed, request_id: str, _basis: int) -> Awaitable[Applied]:
        wish = Restart(request_id=request_id, by=deck.by, swap=swap)
        return deck.link.ask(host, lambda client: client.restart(name, wish))

    def beside(status: HostStatus) -> list[Line]:
        return [
            *wrapped(f"New processes of {name} become ready, then the old ones end.", WIDTH),
            *wrapped("Where both have no room it is refused: S ends the old ones first.", WIDTH),
            *_last_start(name, status),
            *_users(name, status, goes=False),
        ]

    def after(status: HostStatus) -> list[Line]:
        return [
            *wrapped(f"{name} ends first, then it is started anew.", WIDTH),
            *wrapped("Nobody is served by it meanwhile.", WIDTH, "warn"),
            *_last_start(name, status),
            *_under_way(name, status),
            *_users(name, status, goes=True),
            EMPTY,
            line(" ", span(f"Type {name} to do it.", "strong")),
            EMPTY,
        ]

    return Form(
        host=host,
        title=f"{'swap' if swap else 'restart'} {name} on {host}",
        verb="swap it" if swap else "restart it",
        lines=_now(deck, host, name, after if swap else beside),
        fields=(Field(label="its name", target=name),) if swap else (),
        send=send,
    )


def _now(deck: DeckApp, host: str, name: str, lines: Callable[[HostStatus], list[Line]]) -> Callable[[], list[Line]]:
    """What would be done, from what the host says now."""

    def show() -> list[Line]:
        view = deck.model.fleet.hosts.get(host)
        if view is None or view.status is None or not _replicas(name, view.status):
            return [EMPTY, *wrapped(f"{name} is not on {host} any more.", WIDTH), EMPTY]
        return [EMPTY, *lines(view.status)]

    return show


def _replicas(name: str, status: HostStatus) -> list[EngineStatus]:
    return [engine for engine in status.engines if base_name(engine.name) == name]


def _under_way(name: str, status: HostStatus) -> list[Line]:
    replicas = _replicas(name, status)
    running = sum(engine.running or 0 for engine in replicas)
    waiting = sum(engine.waiting or 0 for engine in replicas)
    several = f" in {plural(len(replicas), 'replica')}" if len(replicas) > 1 else ""
    return wrapped(f"{plural(running, 'request')} running and {waiting} waiting{several}.", WIDTH)


def _cancelled(name: str, status: HostStatus) -> list[Line]:
    going_on = next((one for one in status.operations if one.engine == name and one.ended is None), None)
    return wrapped(f"{title(going_on)} now; that is cancelled.", WIDTH, "warn") if going_on else []


def _last_start(name: str, status: HostStatus) -> list[Line]:
    took = max((engine.ready_s for engine in _replicas(name, status) if engine.ready_s is not None), default=None)
    return [] if took is None else wrapped(f"The last start took {spoken(took)} until it was ready.", WIDTH)


def _users(name: str, status: HostStatus, *, goes: bool) -> list[Line]:
    """The share of users of each experiment that it is in, and what happens to them where it goes."""
    lines: list[Line] = []
    for users in users_of(name, status.experiments):
        lines += wrapped(f"{users.sentence}.", WIDTH, "warn" if users.share_bp and goes else "strong", most=2)
        if goes and users.when_it_goes:
            lines += wrapped(users.when_it_goes, WIDTH, most=2)
    return [EMPTY, *lines] if lines else []
