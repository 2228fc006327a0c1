"""The dialogs that take a page: acknowledge, snooze, hand over, and acknowledge all that nobody has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from quantdeck_console.app import DeckApp
from quantdeck_console.model.alarms import PageRow
from quantdeck_console.model.alarms_view import taken_lines
from quantdeck_console.model.text import EMPTY, Line, line, span, wrapped
from quantdeck_console.screens.dialog import WIDTH
from quantdeck_console.screens.form import Field, Form, Typed
from quantdeck_core.fleet.cells import clock, plural
from quantdeck_core.protocol.alerts import Acknowledge, HandOver, Page, Snooze, parse_snooze
from quantdeck_core.protocol.requests import Applied

SNOOZE = "30m"
Took = Callable[[str, Page], None]
"""Told how a page stands after somebody took it."""


def take_form(deck: DeckApp, row: PageRow, now: float, took: Took) -> Form:
    """Acknowledge it; a note may be added."""

    async def send(typed: Typed, request_id: str, _basis: int) -> Applied:
        (note,) = typed
        ask = Acknowledge(request_id=request_id, by=deck.by, note=note)
        page = await deck.link.ask(row.host, lambda client: client.acknowledge(row.page.id, ask))
        took(row.host, page)
        return Applied(revision=0, detail="" if page.ended else "it is not repeated")

    ends = "" if row.page.ends else " Nobody will say that it is over, so it ends with this."
    return _form(
        row, now, send,
        title="acknowledge", verb="acknowledge: you have it", does=f"It is not repeated any more.{ends}",
        fields=(Field(label="note (may be empty)"),), done=f"acknowledged by {deck.by}",
    )  # fmt: skip


def snooze_form(deck: DeckApp, row: PageRow, now: float, took: Took) -> Form:
    """Not repeated for a while."""

    async def send(typed: Typed, request_id: str, _basis: int) -> Applied:
        (text,) = typed
        ask = Snooze(request_id=request_id, by=deck.by, seconds=parse_snooze(text))
        page = await deck.link.ask(row.host, lambda client: client.snooze(row.page.id, ask))
        took(row.host, page)
        return Applied(revision=0, detail=f"until {clock(page.snoozed_until)}")

    return _form(
        row, now, send,
        title="snooze", verb="snooze", does="It is quiet for that long; a new cause pages all the same.",
        fields=(Field(label="for how long", value=SNOOZE, empty="Say for how long, e.g. 30m or 2h."),), done="snoozed",
    )  # fmt: skip


def hand_over_form(deck: DeckApp, row: PageRow, now: float, took: Took) -> Form:
    """Give it to somebody else, with what they should know."""

    async def send(typed: Typed, request_id: str, _basis: int) -> Applied:
        to, note = typed
        ask = HandOver(request_id=request_id, by=deck.by, to=to, note=note)
        page = await deck.link.ask(row.host, lambda client: client.hand_over(row.page.id, ask))
        took(row.host, page)
        return Applied(revision=0, detail=f"to {page.owner}, who is told now")

    return _form(
        row, now, send,
        title="hand over", verb="hand it over",
        does="Receivers are told at once, and again until that person has acknowledged it.",
        fields=(
            Field(label="to whom", empty="Say who takes it."),
            Field(label="what they should know", empty="Say what they should know."),
        ),
        done="handed over",
    )  # fmt: skip


def take_all_form(deck: DeckApp, pages: Mapping[str, Sequence[Page]], took: Took) -> Form:
    """Acknowledge every page that nobody has, host by host."""

    def form(host: str, others: tuple[Form, ...] = ()) -> Form:
        async def send(typed: Typed, request_id: str, _basis: int) -> Applied:
            (note,) = typed
            for page in pages[host]:
                ask = Acknowledge(request_id=f"{request_id}-{page.id}", by=deck.by, note=note)
                took(host, await _acknowledge(deck, host, page.id, ask))
            return Applied(revision=0)

        return Form(
            host=host,
            title="acknowledgement of all pages",
            verb="acknowledge: you have all of them",
            lines=lambda: _all_lines(pages),
            fields=(Field(label="note (may be empty)"),),
            send=send,
            others=others,
            change=lambda: plural(len(pages[host]), "page"),
            done=f"acknowledged by {deck.by}",
            noun="host",
            everywhere=True,
            key="acknowledge all",
        )

    first, *rest = pages
    return form(first, tuple(form(host) for host in rest))


async def _acknowledge(deck: DeckApp, host: str, page: int, ask: Acknowledge) -> Page:
    return await deck.link.ask(host, lambda client: client.acknowledge(page, ask))


def _all_lines(pages: Mapping[str, Sequence[Page]]) -> list[Line]:
    total = plural(sum(map(len, pages.values())), "page")
    worst = [f"{host}: {page.text}" for host, some in pages.items() for page in some]
    return [
        EMPTY,
        line(" ", span(f"{total} on {plural(len(pages), 'host')}, which nobody has:", "strong")),
        *(one for text in worst[:5] for one in wrapped(text, WIDTH, "dim", indent="   ", most=1)),
        *([line(span(f"   and {len(worst) - 5} more", "dim"))] if len(worst) > 5 else []),
        EMPTY,
        line(" They are not repeated any more."),
        EMPTY,
    ]


def _form(
    row: PageRow,
    now: float,
    send: Callable[[Typed, str, int], Awaitable[Applied]],
    *,
    title: str,
    verb: str,
    does: str,
    fields: tuple[Field, ...],
    done: str,
) -> Form:
    return Form(
        host=row.host,
        title=f"{title} page {row.page.id} of {row.host}",
        verb=verb,
        lines=lambda: [*taken_lines(row.page, row.host, now, WIDTH), *wrapped(does, WIDTH), EMPTY],
        fields=fields,
        send=send,
        done=done,
    )
