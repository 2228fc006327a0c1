"""An incident as plain text: what stands out, what happened, the figures, and what a replay said."""

from __future__ import annotations

from quantdeck_console.model.asked import Asked
from quantdeck_console.model.glyphs import ASCII
from quantdeck_console.model.incident import Incident, Side, Story
from quantdeck_console.model.incident_replay import replay_lines
from quantdeck_console.model.incident_timeline import happened, whole_lines
from quantdeck_console.model.incident_trends import trend_lines
from quantdeck_console.model.incident_view import finding_lines
from quantdeck_console.model.text import EMPTY, Line, line, plain
from quantdeck_core.fleet.cells import weight, zone
from quantdeck_core.fleet.health import experiment_health
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.fleet.state import HostView
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.incident import IncidentReport


def incident_lines(report: IncidentReport, experiment: ExperimentStatus, width: int = 80) -> list[str]:
    """As the incident pane shows it, as just heard from a host, all of it."""
    view = HostView(name=report.host, link=LinkChange(state="connected"), heard_at=report.at, linked_at=report.at)
    story = Story.of(report)
    side = Side(view=view, experiment=experiment, asked=Asked(value=story, at=report.at))
    incident = Incident(name=report.experiment, sides=(side,), gateways=(view,), now=report.at)
    state = f"{report.state.stage}, {weight(report.state.weight_bp)} on the treatment"
    rows = happened(incident)
    lines: list[Line] = [
        line(f"{report.experiment} on {report.host}: {state}; {experiment_health(experiment).text}"),
        line(f"verdict: {report.verdict.kind}: {report.verdict.reason}"),
        EMPTY,
        *finding_lines(incident, width),
        EMPTY,
        line(f"TIMELINE  {zone(report.at)}"),
        *(text for one in rows for text in whole_lines(one, width)),
        EMPTY,
        *trend_lines(story, [one.entry for one in rows], width, ASCII),
        EMPTY,
        *replay_lines(incident, width, "--replay asks them again, on both arms."),
    ]
    return [plain(one).removeprefix(" ") for one in lines]
