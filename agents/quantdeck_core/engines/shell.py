"""A command as lines for a shell: what a person reads, or copies."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator

from quantdeck_core.engines.command import Command


def shell_lines(command: Command) -> Iterator[str]:
    """The variables, the program, then one flag a line; all but the last line go on in the next."""
    if command.drops:
        listed = f"not passed on from the environment: {' '.join(command.drops)}"
        yield from textwrap.wrap(listed, 118, initial_indent="# ", subsequent_indent="# ")
    yield from (f"{name}={shlex.quote(value)} \\" for name, value in command.env.items())
    yield from (f'{name}="${source}" \\' for name, source in command.env_from.items())
    groups: list[list[str]] = [[]]
    for word in command.argv:
        if word.startswith("--"):
            groups.append([])
        groups[-1].append(word)
    for number, group in enumerate(groups, 1):
        yield ("  " if number > 1 else "") + shlex.join(group) + (" \\" if number < len(groups) else "")
