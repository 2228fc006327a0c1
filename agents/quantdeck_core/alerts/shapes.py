"""What each receiver is sent: Slack's incoming webhook, PagerDuty's Events API v2, and our own JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from quantdeck_core.alerts.board import Action, Notice
from quantdeck_core.alerts.words import headline, how_to_take, what_became

MOST_SUMMARY = 1024
"""PagerDuty: `payload.summary`."""
MOST_SECTION, MOST_HEADER = 3000, 150
"""Slack Block Kit: text of a section and of a header; longer ones are refused with 400."""
VERSION = 1
"""Of our own shape; rises when a key changes its meaning or goes."""

PAGERDUTY_ACTIONS: Mapping[Action, str] = {
    "trigger": "trigger",
    "repeat": "trigger",
    "handover": "trigger",
    "acknowledge": "acknowledge",
    "resolve": "resolve",
}
"""Events API v2 has no snooze. A trigger of an acknowledged incident notifies nobody again."""
_SEVERITIES = {"fail": "critical", "warn": "warning"}


def slack(host: str, notice: Notice, now: float, runbook: str) -> dict[str, Any]:
    """Body for an incoming webhook: blocks, and `text` for where none can be shown (notifications, screen readers)."""
    page = notice.page
    title = headline(host, notice)
    below = [_escaped(part) for part in (what_became(notice, now), page.hint) if part]
    context = [f"page {page.id}", *([f"`{command}`"] if (command := how_to_take(host, notice)) else [])]
    if runbook:
        context.append(f"<{runbook}|runbook>")
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _short(title, MOST_HEADER), "emoji": False}},
        {"type": "section", "text": _mrkdwn("\n".join([f"*{_escaped(page.text)}*", *below]))},
        {"type": "context", "elements": [_mrkdwn("  ".join(context))]},
    ]
    return {"text": _short(_escaped(title), MOST_SECTION), "blocks": blocks}


def pagerduty(host: str, notice: Notice, now: float, runbook: str, routing_key: str) -> dict[str, Any] | None:
    """Body for `POST /v2/enqueue`; None for what PagerDuty has no event for."""
    page = notice.page
    action = PAGERDUTY_ACTIONS.get(notice.action)
    if action is None:
        return None
    event: dict[str, Any] = {"routing_key": routing_key, "event_action": action, "dedup_key": page.key}
    if action != "trigger":
        return event
    details = {
        "page": page.id,
        "host": host,
        "experiment": page.experiment,
        "next": page.hint,
        "news": what_became(notice, now),
        "times": page.count,
        "acknowledge": how_to_take(host, notice),
    }
    event["payload"] = {
        "summary": _short(headline(host, notice), MOST_SUMMARY),
        "source": host,
        "severity": _SEVERITIES[page.level],
        "timestamp": _iso(page.began),
        "component": page.experiment or "host",
        "group": "quantdeck",
        "class": page.key.rpartition("/")[2],
        "custom_details": {name: value for name, value in details.items() if value},
    }
    event["client"] = "quantdeck"
    if runbook:
        event["links"] = [{"href": runbook, "text": "Runbook"}]
    return event


def plain(host: str, notice: Notice, now: float, runbook: str) -> dict[str, Any]:
    """Our own shape, for webhooks and commands: stable keys."""
    page = notice.page
    return {
        "version": VERSION,
        "action": notice.action,
        "host": host,
        "summary": headline(host, notice),
        "news": what_became(notice, now),
        "at": _iso(now),
        "runbook": runbook,
        "page": msgspec.to_builtins(page) | {"state": page.state(now)},
    }


def environment(host: str, notice: Notice, now: float, runbook: str) -> dict[str, str]:
    """The same facts for a command, as `QUANTDECK_ALERT_...`."""
    page = notice.page
    facts = {
        "ACTION": notice.action,
        "ID": str(page.id),
        "KEY": page.key,
        "LEVEL": page.level,
        "HOST": host,
        "EXPERIMENT": page.experiment,
        "TEXT": page.text,
        "HINT": page.hint,
        "SUMMARY": headline(host, notice),
        "NEWS": what_became(notice, now),
        "RUNBOOK": runbook,
        "OWNER": page.owner,
    }
    # A NUL ends a string in an environment, and a program that is started with one is not started at all.
    return {f"QUANTDECK_ALERT_{name}": value.replace("\0", "") for name, value in facts.items()}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": _short(text, MOST_SECTION), "verbatim": True}


def _escaped(text: str) -> str:
    """The three characters that Slack takes for markup: `<!channel>` in a model's name must not wake everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _iso(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds")
