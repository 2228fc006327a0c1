"""`quantdeck rollback EXPERIMENT --reason ...`: everyone back to the control, latched."""

from __future__ import annotations

from quantdeck_console.commands.changes import change_experiment
from quantdeck_console.commands.common import new_request_id, parse_reason, parser_for, who
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.protocol.experiment import ExperimentStatus
from quantdeck_core.protocol.requests import Applied, Rollback


def main(argv: list[str]) -> int:
    """Roll back on every gateway that runs the experiment."""
    parser = parser_for("rollback", "Put everyone back on the control. It stays so until the latch is cleared.")
    parser.add_argument("experiment")
    parser.add_argument("--reason", required=True, help="for the timeline")
    options = parser.parse_args(argv)
    wish = Rollback(request_id=new_request_id(), by=who(), reason=parse_reason(options.reason))

    async def change(client: AgentClient, _experiment: ExperimentStatus) -> Applied:
        return await client.roll_back(options.experiment, wish)

    return change_experiment(options, options.experiment, change, "everyone on the control")
