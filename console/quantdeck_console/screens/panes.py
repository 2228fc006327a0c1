"""Which class stands behind a pane's name, and what it needs to be about."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from quantdeck_console.model.deck import DeckModel
from quantdeck_console.model.subject import Subject
from quantdeck_console.screens.pane import Pane

_CLASSES = {
    "host": "HostScreen",
    "deploy": "DeployScreen",
    "experiment": "ExperimentScreen",
    "incident": "IncidentScreen",
    "bench": "BenchScreen",
    "alarms": "AlarmsScreen",
}
_OF_EXPERIMENTS = ("experiment", "incident", "bench")


def pane_of(name: str, subject: Subject) -> Pane:
    """A new pane; its module is imported when it is opened first, so that the console starts without it."""
    module = import_module(f"quantdeck_console.screens.{name}")
    return cast("Pane", getattr(module, _CLASSES[name])(subject))


def subject_for(name: str, subject: Subject, model: DeckModel) -> Subject:
    """What a pane is about where this was chosen: an experiment of the chosen host, else of the worst one."""
    if name in _OF_EXPERIMENTS and not model.experiment(*subject):
        known = [Subject(view.name, one.name) for view, one in model.experiments()]
        here = [one for one in known if one.host == subject.host]
        return next(iter((*here, *known)), Subject(subject.host))
    if not subject.host:
        return Subject(next((row.name for row in model.rows()), ""))
    return subject


def missing(name: str, subject: Subject) -> str:
    """Why a pane cannot be opened, or nothing."""
    if name in _OF_EXPERIMENTS and not subject.experiment:
        return "there is no experiment in this fleet"
    return ""
