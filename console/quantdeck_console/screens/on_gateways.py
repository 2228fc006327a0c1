"""Forms about an experiment: for the gateway that is shown, with the same on the others to choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quantdeck_console.app import DeckApp
from quantdeck_console.screens.form import Form
from quantdeck_core.protocol.experiment import ExperimentStatus

Make = Callable[[str, ExperimentStatus], Form]
"""The form for a host and its experiment."""


def on_gateways(
    deck: DeckApp, host: str, experiment: ExperimentStatus, make: Make, fits: Callable[[ExperimentStatus], bool]
) -> Form:
    """The form for one gateway, with those of the others where it makes sense."""
    gateways = deck.model.gateways(experiment.name)
    others = tuple(make(view.name, one) for view, one in gateways if view.name != host and fits(one))
    return replace(make(host, experiment), others=others)
