"""Whether a model fits on the disk, and still leaves room for what the machine itself must write."""

from __future__ import annotations

from quantdeck_core.errors import ConflictError
from quantdeck_core.fleet.cells import size

_RESERVE_MOST = 10 << 30
_RESERVE_SHARE = 20


class NoRoomError(ConflictError):
    """The disk is too full."""

    code = "no-room"
    title = "Not enough disk"


def reserve(total: int) -> int:
    """Bytes of a disk that models never take: a twentieth, at most 10 GiB, for logs, databases and updates."""
    return min(_RESERVE_MOST, total // _RESERVE_SHARE)


def check_room(need: int, free: int, total: int, promised: int = 0) -> None:
    """Refuse with numbers.

    Args:
        need: bytes that are still to be written.
        promised: bytes that other transfers were told they may write.

    Raises:
        NoRoomError: less than `need` would be free above the reserve.
    """
    kept = reserve(total)
    usable = free - kept - promised
    if need <= usable:
        return
    others = f", {size(promised)} are promised to other transfers" if promised else ""
    raise NoRoomError(
        f"{size(need)} are needed, and {size(max(0, usable))} may be used: {size(free)} of {size(total)} are free, "
        f"{size(kept)} stay in reserve{others}.",
        "Free some: `quantdeck model gc --unused` shows what nothing uses.",
    )
