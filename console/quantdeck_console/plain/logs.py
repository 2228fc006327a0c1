"""Lines of logs as they are printed: host and source before each."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from quantdeck_core.fleet.log_text import HostLine, remarks
from quantdeck_core.text import clean

_COLOURS = (39, 75, 111, 147, 178, 215, 173, 180)
"""Of the 256-colour cube: blues and oranges, to find a host's lines by eye; the words say which host it is."""


def coloured(environ: Mapping[str, str], isatty: bool) -> bool:
    """Whether prefixes may have a colour."""
    return isatty and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def printed(one: HostLine, colour: bool) -> list[str]:
    """The lines to print; what is missing before a line is said in one of its own."""
    prefix = clean(f"{one.host} {one.source}".rstrip(), one_line=True)
    if colour:
        prefix = f"\x1b[38;5;{_COLOURS[zlib.crc32(prefix.encode()) % len(_COLOURS)]}m{prefix}\x1b[0m"
    said = [f"{prefix} -- {clean(remark, one_line=True)}" for remark in remarks(one)]
    if one.line and (one.line.text or not said):
        said.append(f"{prefix} | {clean(one.line.text, one_line=True)}")
    return said
