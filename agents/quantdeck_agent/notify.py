"""What systemd is told, where it started the agent: ready, alive, stopping. Without it nothing happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping

STATUS_S = 5.0
"""The status line is looked at this often."""


class Notifier:
    """The service manager's socket, by the protocol of sd_notify(3)."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Take the variables out of the environment: engines must not speak in the agent's name."""
        path = environment.pop("NOTIFY_SOCKET", "")
        period, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path if path.startswith("/") else ""
        mine = not pid or pid == str(os.getpid())
        self.watchdog_s = int(period) / 1e6 if self._address and mine and period.isdigit() and int(period) > 0 else None
        self._status = ""

    def ready(self, status: str) -> None:
        """It serves."""
        self._send(f"READY=1\nSTATUS={status}")
        self._status = status

    def stopping(self) -> None:
        """It ends, and was asked to."""
        self._send("STOPPING=1\nSTATUS=ending; engines and gateway go on")

    async def keep(self, status: Callable[[], str]) -> None:
        """Ping the watchdog from the event loop, and tell a status that changed; runs until cancelled."""
        pause = min(STATUS_S, self.watchdog_s / 3) if self.watchdog_s else STATUS_S
        while self._address:
            now = status()
            lines = ["WATCHDOG=1"] if self.watchdog_s else []
            if now != self._status:
                lines.append(f"STATUS={now}")
                self._status = now
            if lines:
                self._send("\n".join(lines))
            await asyncio.sleep(pause)
        await asyncio.Event().wait()

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one,
        ):
            one.setblocking(False)
            one.sendto(text.encode(), self._address)
