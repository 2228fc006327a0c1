"""The demo's two hosts: real agents, each in a process of its own, that end when this process ends, however it ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from quantdeck_core.errors import ExitCode, QuantdeckError
from quantdeck_core.text import clean
from quantdeck_demo.keys import Keys

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 30.0


class HostFailedError(QuantdeckError):
    """A demo host did not start; it keeps the agent's own exit status."""

    code = "demo-host-failed"
    title = "A demo host did not start"

    def __init__(self, detail: str, hint: str, status: int) -> None:
        super().__init__(detail, hint)
        self.exit_code = ExitCode(status) if status in set(ExitCode) - {0} else ExitCode.FAILED


class _Ready(msgspec.Struct):
    """The part of an agent's ready file that is needed here."""

    ssh_port: int
    gateway: str | None


@dataclass
class DemoHost:
    """One agent of the demo."""

    name: str
    folder: Path
    models: Path
    gateway: str | None = None
    ssh_port: int = 0
    _agent: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _lifeline: int | None = field(default=None, repr=False)

    @property
    def socket(self) -> Path:
        """The agent's socket for operators."""
        return self.folder / "run" / "operator.sock"

    @property
    def _log(self) -> Path:
        return self.folder / "agent.log"

    def start(self, keys: Keys) -> None:
        """Start the agent; it holds the reading end of a pipe of ours and ends when the pipe closes."""
        self.folder.mkdir(mode=0o700)
        argv = [sys.executable, "-m", "quantdeck", "agent", "run", "--name", self.name]
        argv += ["--state", str(self.folder / "state"), "--runtime", str(self.folder / "run")]
        argv += ["--models", str(self.models), "--ssh-listen", "127.0.0.1:0", "--ssh-host-key", str(keys.host_key)]
        argv += ["--ssh-authorized-keys", str(keys.authorized_keys)]
        if self.gateway:
            argv += ["--gateway", self.gateway]
        reading, self._lifeline = os.pipe()
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C in this terminal is for the console, which then ends the agent in order.
            self._agent = subprocess.Popen(
                [*argv, "--lifeline-fd", str(reading)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[reading],
                start_new_session=True,
            )
        os.close(reading)

    async def until_ready(self) -> None:
        """Wait until it serves SSH.

        Raises:
            HostFailedError: it ended; with its own words.
        """
        ready_file = self.folder / "run" / "agent.json"
        deadline = time.monotonic() + START_DEADLINE_S
        while not ready_file.exists():
            if self._agent is None or self._agent.poll() is not None or time.monotonic() > deadline:
                raise HostFailedError(*self._last_words(), status=(self._agent and self._agent.poll()) or 1)
            await asyncio.sleep(0.02)
        ready = msgspec.json.decode(ready_file.read_bytes(), type=_Ready)
        self.ssh_port, self.gateway = ready.ssh_port, ready.gateway

    def _last_words(self) -> tuple[str, str]:
        lines = [clean(line) for line in self._log.read_text("utf-8", "replace").splitlines() if line.strip()]
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        hints = [line.strip().removeprefix("next: ") for line in lines if line.strip().startswith("next: ")]
        words = errors or lines or ["it said nothing"]
        return f"{self.name}: {words[-1]}", hints[-1] if hints else f"Its log is {self._log}."

    async def stop(self) -> None:
        """Close the pipe and wait until the agent has ended its engines and its gateway."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._agent is None:
            return
        try:
            await asyncio.to_thread(self._agent.wait, STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            self._agent.wait()
