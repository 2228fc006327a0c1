"""`quantdeck console`: the terminal console of a fleet."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from quantdeck_console import terminal
from quantdeck_console.commands.common import add_fleet_option, who
from quantdeck_console.link.fleet_file import default_fleet_path, load_fleet
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_console.pending import PendingFile


def main(argv: list[str]) -> int:
    """Open the console.

    Raises:
        InputError: the terminal cannot show it, or the fleet file cannot be read.
    """
    parser = argparse.ArgumentParser(prog="quantdeck console", description="The terminal console of a fleet.")
    parser.add_argument("--readonly", action="store_true", help="no key that changes anything")
    add_fleet_option(parser)
    options = parser.parse_args(argv)
    fleet = load_fleet(options.fleet)
    is_terminal = sys.stdin.isatty() and sys.stderr.isatty()  # Textual draws on stderr
    terminal.check_terminal(os.environ, shutil.get_terminal_size(), is_terminal)
    terminal.prepare(os.environ)
    from quantdeck_console.app import DeckApp  # after `prepare`: Textual reads the environment when it is imported

    app = DeckApp(
        SshFleet(fleet),
        by=who(),
        readonly=options.readonly,
        pending=PendingFile(),
        command_options=() if options.fleet == default_fleet_path() else ("--fleet", str(options.fleet)),
    )
    app.run(mouse=False)
    return app.return_code or 0
