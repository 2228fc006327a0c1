"""`quantdeck weight EXPERIMENT PERCENT`: change the treatment's share of users."""

from __future__ import annotations

from quantdeck_console.commands.changes import change_experiment
from quantdeck_console.commands.common import new_request_id, parser_for, who
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.hashing import bp_to_percent, percent_to_bp
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, ChangeWeight


def main(argv: list[str]) -> int:
    """Set the weight on every gateway that runs the experiment."""
    parser = parser_for("weight", "Change the treatment's share of users.")
    parser.add_argument("experiment")
    parser.add_argument("percent", help="0 to 100, in steps of 0.01")
    parser.add_argument("--reason", default="", help="for the timeline")
    options = parser.parse_args(argv)
    weight_bp, request_id = percent_to_bp(options.percent), new_request_id()

    async def change(client: AgentClient, experiment: ExperimentStatus) -> Applied:
        wish = ChangeWeight(
            request_id=request_id,
            by=who(),
            weight_bp=weight_bp,
            revision=experiment.state.revision,
            reason=options.reason,
        )
        return await client.change_weight(options.experiment, wish)

    return change_experiment(options, options.experiment, change, f"{bp_to_percent(weight_bp)} % on the treatment")
