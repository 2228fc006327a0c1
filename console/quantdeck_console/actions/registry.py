"""Every action once: bindings, footer, help, palette and read-only mode are made from what is declared."""

from __future__ import annotations

from collections.abc import Iterator

from quantdeck_console.actions.action import Action
from quantdeck_console.actions.declared import (
    alarms,
    bench,
    deploy,
    dialogs,
    everywhere,
    experiment,
    fleet,
    host,
    incident,
    logs,
    playing,
)

PANES = ("fleet", "host", "deploy", "experiment", "incident", "bench")
"""In the order of their number keys."""
_AS_PANES = (*PANES, "logs", "alarms")
"""Screens that have the keys of every pane."""

_TITLES = {
    "panes": "Everywhere",
    "fleet": "Fleet",
    "host": "Host",
    "deploy": "Deploy",
    "experiment": "Experiment",
    "incident": "Incident",
    "bench": "Bench",
    "logs": "Logs",
    "alarms": "Alarms",
    "weight": "Weight dialog",
    "rollback": "Rollback dialog",
    "form": "Other dialogs",
    "replay": "Replay dialog",
    "export": "Export dialog",
    "reader": "Opened text",
    "palette": "Palette",
    "help": "This page",
    "app": "In dialogs too",
}

ACTIONS: tuple[Action, ...] = (
    *fleet.ACTIONS,
    *host.ACTIONS,
    *deploy.ACTIONS,
    *experiment.ACTIONS,
    *incident.ACTIONS,
    *bench.ACTIONS,
    *playing.ACTIONS,
    *logs.ACTIONS,
    *alarms.ACTIONS,
    *everywhere.ACTIONS,
    *dialogs.ACTIONS,
)


def actions_of(screen: str) -> Iterator[Action]:
    """The screen's own actions, then those of every pane that it does not replace; those of a recording come first."""
    own = [action for action in ACTIONS if action.where == screen]
    if screen not in _AS_PANES:
        yield from own
        return
    ids, keys = {action.id for action in own}, {key for action in own for key in action.keys}
    everywhere = [action for action in ACTIONS if action.where == "panes"]
    yield from (action for action in everywhere if action.playing)
    yield from own
    yield from (
        action
        for action in everywhere
        if not action.playing and action.id not in ids and not keys.intersection(action.keys)
    )


def action_of(screen: str, action_id: str) -> Action | None:
    """The action that a method of this screen stands for."""
    return next((action for action in actions_of(screen) if action.id == action_id), None)


def action_for_key(screen: str, key: str) -> Action | None:
    """The action that a key means on this screen."""
    return next((action for action in actions_of(screen) if key in action.keys), None)


def groups(first: str) -> Iterator[tuple[str, tuple[Action, ...]]]:
    """All actions under the titles of where they work, the present screen's first."""
    for where in (first, *(other for other in _TITLES if other != first)):
        actions = tuple(action for action in ACTIONS if action.where == where)
        if actions:
            yield _TITLES[where], actions
