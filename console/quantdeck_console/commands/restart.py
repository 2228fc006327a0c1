"""`quantdeck restart ENGINE --host HOST`: start an engine's processes anew."""

from __future__ import annotations

from quantdeck_console.commands.common import new_request_id, parser_for, who
from quantdeck_console.commands.following import add_following_options, begin_and_follow, emit_outcome
from quantdeck_core.errors import ExitCode
from quantdeck_core.protocol.requests import Restart


def main(argv: list[str]) -> int:
    """Start its processes anew and wait until they are ready; the old ones serve until then."""
    parser = parser_for("restart", "Start an engine's processes anew, with the profile that it has.")
    parser.add_argument("engine")
    parser.add_argument("--swap", action="store_true", help="where both have no room, end the old one first")
    parser.add_argument("--force", action="store_true", help="although plan or rules say no; it is recorded")
    add_following_options(parser)
    options = parser.parse_args(argv)
    wish = Restart(request_id=new_request_id(), by=who(), swap=options.swap, force=options.force)
    applied, operation = begin_and_follow(options, lambda client: client.restart(options.engine, wish))
    emit_outcome(options, applied, operation)
    return ExitCode.DONE
