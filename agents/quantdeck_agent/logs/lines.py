"""Bytes of a log into lines, with bounded memory."""

from __future__ import annotations

MAX_LINE_BYTES = 32 << 10
CUT = " [...]"


class LineCutter:
    """Cuts what comes into lines; of a line that does not end, the beginning is kept."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        """Lines that are whole now, undecodable bytes replaced."""
        *whole, rest = data.split(b"\n")
        lines = []
        for part in whole:
            line, self._rest = self._rest + part, b""
            if not self._skipping:
                lines.append(_text(line))
            self._skipping = False
        self._rest += rest
        if len(self._rest) > MAX_LINE_BYTES:
            if not self._skipping:
                lines.append(_text(self._rest))
            self._rest, self._skipping = b"", True
        return lines

    def end(self) -> list[str]:
        """What was not ended by a newline."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest and not self._skipping else []


def _text(line: bytes) -> str:
    text = line[:MAX_LINE_BYTES].decode("utf-8", "replace")
    return text + CUT if len(line) > MAX_LINE_BYTES else text
