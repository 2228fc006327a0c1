"""`quantdeck who EXPERIMENT USER`: which arm a user is on, and why."""

from __future__ import annotations

from quantdeck_console.commands.changes import find_experiment
from quantdeck_console.commands.common import emit, parser_for, run_with_fleet
from quantdeck_console.link.connect import client_of
from quantdeck_console.link.fleet_file import Fleet
from quantdeck_console.link.incident_client import IncidentClient
from quantdeck_core.rollout.who import WhoAnswer


def main(argv: list[str]) -> int:
    """Ask each gateway that runs the experiment: while a change is pending on one, they may differ."""
    parser = parser_for("who", "Which arm a user is on, and why.")
    parser.add_argument("experiment")
    parser.add_argument("user", help="as clients send it in x-user-id or in the body's user")
    options = parser.parse_args(argv)

    async def work(fleet: Fleet) -> dict[str, WhoAnswer]:
        found, silent = await find_experiment(fleet, options.experiment)
        if not found:
            raise next(iter(silent.values()))
        answers = {}
        for host, experiment in found:
            async with client_of(host, IncidentClient) as client:
                answers[host.name] = await client.who(experiment.name, options.user)
        return answers

    answers = run_with_fleet(options, work)
    emit(options.json, answers, [f"{host}: {one.variant}: {one.why}" for host, one in answers.items()])
    return 0
