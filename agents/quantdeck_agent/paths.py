"""Where an agent keeps things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quantdeck_core.errors import InputError

ROLES = ("viewer", "operator", "admin")
"""Roles, weakest first; each has a socket of its own, and the file's permissions say who may open it."""


@dataclass(frozen=True)
class Paths:
    """Files of one agent.

    Attributes:
        state: what must survive a reboot: the database, logs, the gateway's config.
        runtime: sockets; short, since a Unix socket's path has room for about 100 bytes.
        models: model root; profiles name checkpoints below it.
    """

    state: Path
    runtime: Path
    models: Path

    @property
    def database(self) -> Path:
        """The agent's SQLite file."""
        return self.state / "agent.db"

    @property
    def history(self) -> Path:
        """A week of telemetry by the minute, in SQLite; it may be deleted while the agent is down."""
        return self.state / "history.db"

    @property
    def logs(self) -> Path:
        """One file an engine, one for the gateway."""
        return self.state / "logs"

    @property
    def gateway_config(self) -> Path:
        """The gateway's own file; it outlives the agent and holds the weights."""
        return self.state / "gateway.json"

    @property
    def gateway_control(self) -> Path:
        """Control socket of the gateway."""
        return self.runtime / "gateway.sock"

    @property
    def gateway_signals(self) -> Path:
        """Where the gateway's analyser serves answer signals."""
        return self.runtime / "signals.sock"

    @property
    def ready_file(self) -> Path:
        """Written when the agent serves: its PID, host name and SSH port."""
        return self.runtime / "agent.json"

    def socket(self, role: str) -> Path:
        """The agent's socket for a role."""
        return self.runtime / f"{role}.sock"

    def make(self) -> None:
        """Create the folders, for this user only.

        Raises:
            InputError: one cannot be made.
        """
        for folder in (self.state, self.runtime, self.logs):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"The folder {folder} cannot be made: {error.strerror}.",
                    "Give the agent's user the right to, or name other folders with --state and --runtime.",
                ) from None
