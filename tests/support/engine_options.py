"""The names of an engine's options, from its `--help`.

`python -m support.engine_options TITLE COMMAND...` prints a list as they lie in tests/profiles/options/, e.g.
`python -m support.engine_options "vllm serve --help=all, 0.32.0" vllm serve --help=all`. With `-` as the command it
reads the help, or llama.cpp's tools/server/README.md, from its standard input.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

OPTIONS = Path(__file__).parent.parent / "profiles" / "options"
_NAME = re.compile(r"(?<![\w-])--?[A-Za-z][\w.-]*")


def options_in(text: str) -> set[str]:
    """Names of options; explanations, which are indented by more than two, may name any."""
    names: set[str] = set()
    cells = [line[3:].split("`")[0] for line in text.splitlines() if line.startswith("| `-")]
    for line in cells or text.splitlines():
        if re.match(r" {0,2}-", line):
            written = re.split(r" {2,}", re.sub(r", +", ", ", line.strip()), maxsplit=1)[0]
            names.update(_NAME.findall(written))
    return names


def listed(name: str) -> set[str]:
    """A list that was made before, e.g. ``vllm-0.32.0``."""
    lines = (OPTIONS / f"{name}.txt").read_text("utf-8").splitlines()
    return {line for line in lines if not line.startswith("#")}


def help_of(command: list[str]) -> str:
    """What a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def main() -> None:
    """Print a list."""
    title, *command = sys.argv[1:]
    text = sys.stdin.read() if command == ["-"] else help_of(command)
    sys.stdout.write(f"# {title}\n" + "".join(f"{name}\n" for name in sorted(options_in(text))))


if __name__ == "__main__":
    main()
