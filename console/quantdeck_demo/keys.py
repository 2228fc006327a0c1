"""SSH keys of the demo: made for one run, checked like any others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncssh


@dataclass(frozen=True)
class Keys:
    """Files that both sides need.

    Attributes:
        host_key: private key of both demo hosts.
        authorized_keys: lets the operator in, with a role.
        identity: the operator's private key.
    """

    host_key: Path
    authorized_keys: Path
    identity: Path
    public_host_key: str


def make_keys(folder: Path) -> Keys:
    """Generate a host key and an operator's key."""
    folder.mkdir(mode=0o700)
    host, operator = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    keys = Keys(
        host_key=folder / "host_key",
        authorized_keys=folder / "authorized_keys",
        identity=folder / "operator_key",
        public_host_key=host.export_public_key().decode().strip(),
    )
    host.write_private_key(str(keys.host_key))
    operator.write_private_key(str(keys.identity))
    keys.authorized_keys.write_text(f'quantdeck-role="operator" {operator.export_public_key().decode()}')
    return keys


def write_known_hosts(file: Path, keys: Keys, ports: list[int]) -> None:
    """The hosts' key under each address, as a person would have it after checking fingerprints."""
    file.write_text("".join(f"[127.0.0.1]:{port} {keys.public_host_key}\n" for port in ports))
