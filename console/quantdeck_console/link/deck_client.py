"""All typed calls to one agent, for whoever needs more than one kind of them."""

from __future__ import annotations

from quantdeck_console.link.alert_client import AlertClient
from quantdeck_console.link.canary_client import CanaryClient
from quantdeck_console.link.incident_client import IncidentClient


class DeckClient(AlertClient, CanaryClient, IncidentClient):
    """What a console asks of an agent."""
