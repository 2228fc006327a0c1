"""An incident for somebody else, in a few sentences that fit a chat. Times are UTC: who reads it may sit elsewhere."""

from __future__ import annotations

from quantdeck_console.model.incident import Incident
from quantdeck_console.model.incident_view import finding_of, gateways_sentence
from quantdeck_core.alerts.words import standing
from quantdeck_core.fleet.cells import clock_utc, weight
from quantdeck_core.protocol.experiment import ExperimentStatus

_MOST_FINDINGS = 5


def handover(incident: Incident) -> str:
    """What, where, since when, why, and who has it."""
    experiment, story = incident.own.experiment, incident.story
    if experiment is None:
        return f"{incident.name}: {finding_of(incident.own, incident.now).text}."
    hosts = ", ".join(view.name for view in incident.gateways)
    said = [f"{incident.name}: {_what(experiment)}, {gateways_sentence(incident)} ({hosts})."]
    old = incident.own.age_s(incident.now)
    if old is not None:
        said.append(f"As {incident.own.view.name} told at {clock_utc(incident.now - old)}; it does not answer now.")
    if story and story.began:
        said += story.report.findings[:_MOST_FINDINGS]
    report = incident.own.report
    if report and report.replay:
        said.append(f"Replay: {report.replay.text}")
    said += [f"Page {page.id} of {host}: {standing(page, incident.now)}." for host, page in incident.pages()]
    return " ".join(said)


def _what(experiment: ExperimentStatus) -> str:
    state, record = experiment.state, experiment.last_rollback
    if not state.latched:
        return f"{weight(state.weight_bp)} of users on the treatment, {experiment.verdict.reason}"
    at = record.at if record else state.since
    came = f" from {weight(record.from_bp)}" if record else ""
    return f"rolled back at {clock_utc(at)}{came} by {state.by or 'nobody'}: {state.reason}"
