"""`quantdeck stop ENGINE --host HOST`: drain and end an engine."""

from __future__ import annotations

from quantdeck_console.commands.common import emit, new_request_id, parser_for, who
from quantdeck_console.commands.following import add_following_options, begin_and_follow
from quantdeck_core.errors import ExitCode
from quantdeck_core.fleet.operation_text import progress_line
from quantdeck_core.protocol.requests import Stop


def main(argv: list[str]) -> int:
    """Drain and end an engine, and wait until it is gone."""
    parser = parser_for("stop", "Take an engine out of the gateway, let its answers end, then end it.")
    parser.add_argument("engine")
    add_following_options(parser)
    options = parser.parse_args(argv)
    wish = Stop(request_id=new_request_id(), by=who())
    applied, operation = begin_and_follow(options, lambda client: client.stop(options.engine, wish))
    said = progress_line(operation) if operation else applied.detail
    emit(options.json, operation or applied, [f"{options.host}: {applied.operation} {said}"])
    return ExitCode.DONE
