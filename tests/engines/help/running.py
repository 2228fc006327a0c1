"""An engine that a test started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import httpx

from quantdeck_core.engines.command import Command
from support.waiting import eventually


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Running:
    """An engine that was started, and its HTTP interface."""

    def __init__(self, command: Command, port: int, log: Path, around: dict[str, str]) -> None:
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command.argv,
                env=command.environment({**os.environ, **around}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)

    def said(self) -> str:
        """Its log."""
        return self._log.read_text("utf-8", "replace")

    async def until(self, path: str, seconds: float = 120.0) -> None:
        """Wait until a path answers."""

        def answers() -> bool:
            assert self.process.poll() is None, self.said()[-2000:]
            try:
                return self.http.get(path).status_code in (200, 401)
            except httpx.HTTPError:
                return False

        await eventually(answers, seconds, path)

    def end(self) -> None:
        """End its process group."""
        self.http.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                try:
                    self.process.wait(20)
                except subprocess.TimeoutExpired:
                    continue
