"""An SSH server for hosts without sshd: key authentication, and one thing allowed, a channel to the agent's sockets."""

from __future__ import annotations

from pathlib import Path

import asyncssh

from quantdeck_agent.paths import ROLES, Paths
from quantdeck_core.errors import InputError

ROLE_OPTION = "quantdeck-role"
"""Option of a line in the authorized keys: `quantdeck-role="operator" ssh-ed25519 ...`. Without it: viewer."""
KEEPALIVE_S = 15


class _Door(asyncssh.SSHServer):
    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        """Sockets of the key's own role and of weaker ones; everything else is refused."""
        granted = self._connection.get_key_option(ROLE_OPTION) if self._connection else None
        role = granted[0] if isinstance(granted, list) and granted and granted[0] in ROLES else ROLES[0]
        allowed = ROLES[: ROLES.index(role) + 1]
        return any(dest_path == str(self._paths.socket(one)) for one in allowed)


class SshDoor:
    """The listening server."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._server: asyncssh.SSHAcceptor | None = None

    async def start(self, host: str, port: int, host_key: Path, authorized_keys: Path) -> int:
        """Listen; returns the port (useful where 0 was asked for).

        Raises:
            InputError: a key file that cannot be read, or a port that is taken.
        """
        for file in (host_key, authorized_keys):
            if not file.is_file():
                raise InputError(f"{file} is not there.", "Make keys with `ssh-keygen -t ed25519`.")
        try:
            self._server = await asyncssh.create_server(
                lambda: _Door(self._paths),
                host,
                port,
                server_host_keys=[str(host_key)],
                authorized_client_keys=str(authorized_keys),
                allow_scp=False,
                agent_forwarding=False,
                x11_forwarding=False,
                keepalive_interval=KEEPALIVE_S,
                compression_algs=None,
            )
        except (OSError, asyncssh.KeyImportError, ValueError) as error:
            raise InputError(
                f"Cannot serve SSH on {host}:{port}: {error}.", "Choose another --ssh-listen or key."
            ) from None
        return self._server.get_port()

    async def stop(self) -> None:
        """Close every connection."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()
