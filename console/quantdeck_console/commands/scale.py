"""`quantdeck scale ENGINE REPLICAS --host HOST`: more or fewer processes behind one name."""

from __future__ import annotations

from quantdeck_console.commands.common import new_request_id, parser_for, positive, who
from quantdeck_console.commands.following import add_following_options, begin_and_follow, emit_outcome
from quantdeck_core.errors import ExitCode
from quantdeck_core.protocol.requests import Scale


def main(argv: list[str]) -> int:
    """Start more replicas, or drain and end the last ones, and wait until that is done."""
    parser = parser_for("scale", "Change how many replicas an engine has.")
    parser.add_argument("engine")
    parser.add_argument("replicas", type=positive)
    parser.add_argument("--force", action="store_true", help="although the plan says no; it is recorded")
    add_following_options(parser)
    options = parser.parse_args(argv)
    wish = Scale(request_id=new_request_id(), by=who(), replicas=options.replicas, force=options.force)
    applied, operation = begin_and_follow(options, lambda client: client.scale(options.engine, wish))
    emit_outcome(options, applied, operation)
    return ExitCode.DONE
