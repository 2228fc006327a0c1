"""`quantdeck model list | push | pull | verify | jobs | cancel | gc`."""

from __future__ import annotations

import argparse
from pathlib import Path

from quantdeck_console.commands.common import add_fleet_option
from quantdeck_console.commands.model_hosts import add_host_options
from quantdeck_console.commands.model_list import list_jobs, list_models
from quantdeck_console.commands.model_pull import pull
from quantdeck_console.commands.model_push import push
from quantdeck_console.commands.model_upkeep import cancel, collect, verify

_ACTIONS = {
    "list": list_models,
    "push": push,
    "pull": pull,
    "verify": verify,
    "jobs": list_jobs,
    "cancel": cancel,
    "gc": collect,
}


def main(argv: list[str]) -> int:
    """List, send, fetch, check and remove models of hosts."""
    options = _parser().parse_args(argv)
    return _ACTIONS[options.action](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantdeck model", description="Models on the hosts' disks.")
    actions = parser.add_subparsers(dest="action", required=True)
    add_host_options(actions.add_parser("list", help="what lies on each host, and the room for more"), everyone=True)

    sending = actions.add_parser("push", help="send a file or a folder; goes on where it was interrupted")
    sending.add_argument("path", type=Path, help="a GGUF file, or a folder with a checkpoint")
    sending.add_argument("--name", default="", help="what it is called on the hosts (default: as here)")
    sending.add_argument("--replace", action="store_true", help="put it in the place of another one of that name")
    add_host_options(sending, everyone=False)

    fetching = actions.add_parser("pull", help="let the hosts fetch it themselves; goes on when this command ends")
    fetching.add_argument("source", help="https://... or hf:ORG/REPO@REVISION")
    fetching.add_argument("--name", default="", help="what it is called on the hosts (default: as there)")
    fetching.add_argument("--sha256", metavar="HEX", help="what a URL's file must hash to")
    fetching.add_argument("--unverified", action="store_true", help="take a URL's file without a hash to compare with")
    fetching.add_argument("--include", action="append", default=[], metavar="GLOB", help="files of a repository")
    fetching.add_argument("--proxy", default="", metavar="URL", help="default: the agent's HTTP(S)_PROXY and NO_PROXY")
    fetching.add_argument("--replace", action="store_true", help="put it in the place of another one of that name")
    fetching.add_argument("--no-wait", action="store_true", help="only begin; `quantdeck model jobs` follows")
    add_host_options(fetching, everyone=False)

    checking = actions.add_parser("verify", help="hash a model again and say which file differs")
    checking.add_argument("name")
    add_host_options(checking, everyone=False)

    add_host_options(actions.add_parser("jobs", help="transfers and checks of each host"), everyone=True)

    ending = actions.add_parser("cancel", help="end a transfer or a check; what has arrived is removed")
    ending.add_argument("job", help="its id, from `quantdeck model jobs`")
    add_host_options(ending, everyone=False)

    removing = actions.add_parser("gc", help="remove models and left-overs of transfers; without --yes only shows them")
    removing.add_argument("names", nargs="*", metavar="NAME", help="models to remove, where nothing uses them")
    removing.add_argument("--unused", action="store_true", help="every model that nothing uses")
    removing.add_argument("--yes", action="store_true", help="remove what is shown")
    add_host_options(removing, everyone=False)

    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="machine-readable output with stable keys")
        add_fleet_option(action)
    return parser
