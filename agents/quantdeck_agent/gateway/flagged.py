"""The prompts whose answers were flagged, from the gateway's analyser: it keeps them in memory only, for an hour."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from quantdeck_core.errors import UnreachableError
from quantdeck_core.protocol.signals import FlaggedAsk, FlaggedPrompt

DEADLINE_S = 2.0
_MOST_BYTES = 4 << 20
"""The analyser keeps 2 MiB of them."""

_decoder = msgspec.json.Decoder(FlaggedPrompt)
_HINT = "The gateway starts its analyser again by itself; an older gateway keeps no prompts. Its log is gateway.log."


async def flagged(socket: Path, experiment: str) -> tuple[FlaggedPrompt, ...]:
    """Those of an experiment, of each arm the oldest first; none where its route does not say `keep_flagged`.

    They are lost when the analyser or the gateway is started anew or upgraded. Whoever holds them must not write them
    to a disk or a log unless a person asked for it.

    Args:
        socket: the gateway's socket for signals.

    Raises:
        UnreachableError: the analyser did not answer, or knows no such question.
    """
    try:
        async with asyncio.timeout(DEADLINE_S):
            lines = await _ask(socket, experiment)
        return tuple(map(_decoder.decode, lines))
    except (OSError, ValueError) as error:  # of the first TimeoutError is one, of the second what msgspec raises
        detail = f"The gateway's analyser did not say what prompts it has ({type(error).__name__})."
        raise UnreachableError(detail, _HINT) from None


async def _ask(socket: Path, experiment: str) -> list[bytes]:
    reader, writer = await asyncio.open_unix_connection(str(socket), limit=_MOST_BYTES)
    try:
        writer.write(msgspec.json.encode(FlaggedAsk(flagged=experiment)) + b"\n")
        lines, size = [], 0
        while line := await reader.readline():
            lines.append(line)
            size += len(line)
            if size > _MOST_BYTES:
                raise ValueError
        return lines
    finally:
        writer.close()
