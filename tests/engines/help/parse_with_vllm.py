"""Run by vLLM's own interpreter: reads a list of argument lists as JSON, prints what its parser makes of each."""

import contextlib
import io
import json
import sys

try:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
except ImportError:  # before 0.30
    from vllm.entrypoints.openai.cli_args import make_arg_parser
try:
    from vllm.utils.argparse_utils import FlexibleArgumentParser
except ImportError:
    from vllm.utils import FlexibleArgumentParser


def parsed(argv: list[str]) -> dict[str, object]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = vars(make_arg_parser(FlexibleArgumentParser()).parse_args(argv))
    except SystemExit:
        return {"error": said.getvalue()}
    return {name: value for name, value in found.items() if isinstance(value, bool | int | float | str | dict | list)}


answers = [parsed(argv) for argv in json.load(sys.stdin)]
print(json.dumps(answers, default=str))
