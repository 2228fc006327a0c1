"""Run by vLLM's own interpreter: reads a list of argument lists as JSON, prints what its parser makes of each."""

import contextlib
import io
import json
import sys

from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = FlexibleArgumentParser()
ServeSubcommand().subparser_init(parser.add_subparsers())


def parsed(argv: list[str]) -> dict[str, object]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = vars(parser.parse_args(["serve", *argv]))
    except SystemExit:
        return {"error": said.getvalue()}
    return {name: value for name, value in found.items() if isinstance(value, bool | int | float | str | dict | list)}


answers = [parsed(argv) for argv in json.load(sys.stdin)]
print(json.dumps(answers, default=str))
