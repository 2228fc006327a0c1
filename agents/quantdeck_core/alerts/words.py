"""Notices and pages in words, for every receiver and every screen the same."""

from __future__ import annotations

from quantdeck_core.alerts.board import Notice
from quantdeck_core.durations import spoken
from quantdeck_core.protocol.alerts import Page, ReceiverStatus

_WORDS = {"warn": "WARN", "fail": "FAIL"}


def headline(host: str, notice: Notice) -> str:
    """One line: how bad, where, what."""
    page = notice.page
    where = f"{host} {page.experiment}" if page.experiment else host
    status = "ENDED" if notice.action == "resolve" else _WORDS[page.level]
    return f"{status} {where}: {page.text}"


def what_became(notice: Notice, now: float) -> str:
    """What is new about it, in a sentence; empty where it just began."""
    page = notice.page
    match notice.action:
        case "repeat":
            owner = f"; it was handed over to {page.owner}" if page.owner else ""
            return f"Nobody has acknowledged it for {spoken(now - page.began)}{owner}."
        case "acknowledge":
            return f"Acknowledged by {page.acknowledged_by}{_said(page.note)}"
        case "snooze":
            return f"Snoozed by {page.snoozed_by} for {spoken(page.snoozed_until - now)}."
        case "handover":
            return f"Handed over to {page.owner}, who is to acknowledge it{_said(page.note)}"
        case "resolve":
            return f"Over after {spoken(page.ended - page.began)}: {page.outcome}."
        case _:
            return ""


def standing(page: Page, now: float) -> str:
    """Who has a page at a UNIX time, or how it ended."""
    match page.state(now):
        case "ended":
            return f"ended: {page.outcome}"
        case "acknowledged":
            return f"acknowledged by {page.acknowledged_by}"
        case "snoozed":
            return f"snoozed by {page.snoozed_by} for another {spoken(page.snoozed_until - now)}"
        case _:
            return f"handed over to {page.owner}, who has not acknowledged it" if page.owner else "nobody has it"


def times(page: Page) -> str:
    """``, 3 times``; empty for once."""
    return f", {page.count} times" if page.count > 1 else ""


def deaf(receiver: ReceiverStatus) -> str:
    """That a receiver takes no pages, and why."""
    return f"{receiver.name} takes no pages: {receiver.problem}; waiting: {receiver.waiting}"


def how_to_take(host: str, notice: Notice) -> str:
    """The command that acknowledges it; empty where there is nothing to acknowledge."""
    asks = notice.action in ("trigger", "repeat", "handover")
    return f"quantdeck alerts ack {notice.page.id} --host {host}" if asks else ""


def _said(note: str) -> str:
    return f": {note}" if note else "."
