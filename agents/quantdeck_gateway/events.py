"""Server-sent events: from the bytes of a stream to its events."""

from __future__ import annotations

DONE = b"[DONE]"
_CR, _LF = b"\r\n"
"""As numbers: to look for bytes in bytes, Python first tries to take them for one, and makes an error of it."""


def events(body: bytes) -> list[bytes]:
    """The data of each event, several `data:` lines of one event joined as the standard says."""
    if _CR in body:
        return _by_lines(body)
    found: list[bytes] = []
    for part in body.split(b"\n\n"):
        if part.startswith(b"data:") and _LF not in part:
            found.append(part[5:].strip())
        elif part:
            found += _by_lines(part)
    return found


def _by_lines(body: bytes) -> list[bytes]:
    found: list[bytes] = []
    lines: list[bytes] = []
    for line in body.splitlines():
        if line.startswith(b"data:"):
            lines.append(line[5:].strip())
        elif not line and lines:
            found.append(b"\n".join(lines))
            lines = []
    if lines:
        found.append(b"\n".join(lines))
    return found


def split_whole(data: bytes) -> tuple[bytes, bytes]:
    """The events that are complete, and the beginning of the next one."""
    bare, cr = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    end = max(bare + 2 if bare >= 0 else 0, cr + 4 if cr >= 0 else 0)
    return data[:end], data[end:]
