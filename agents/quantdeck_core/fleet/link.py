"""How the console is connected to a host, as data."""

from __future__ import annotations

from typing import Literal

import msgspec

LinkState = Literal["connecting", "connected", "lost", "refused"]


class LinkChange(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A change of one host's link.

    Attributes:
        state: `refused` means that trying again will not help (host key, permission, no agent); `lost` is retried.
        detail: why, for a person.
        role: what the connection may do, once connected: `viewer`, `operator` or `admin`.
        read_only: the peer speaks another protocol version, so nothing may be changed there.
    """

    state: LinkState
    detail: str = ""
    role: str = ""
    read_only: bool = False
