"""`fleet.toml`: which hosts there are and how to reach them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from quantdeck_core.errors import InputError
from quantdeck_core.profile.nodes import FIRST_PORT, BlockPort
from quantdeck_core.profile.toml_text import decode_toml

DEFAULT_SOCKET = "/run/quantdeck/operator.sock"


class FleetFileError(InputError):
    """A fleet file that is missing or names a host twice."""

    code = "bad-fleet"
    title = "Cannot use this fleet file"


class Host(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One host of the fleet.

    Attributes:
        name: as shown.
        ssh: `user@host:port` or anything `~/.ssh/config` understands; empty for an agent on this machine.
        socket: path of the agent's socket there; its name is the role.
        identity: private key file, empty for ssh's defaults.
        known_hosts: file with the host's key, empty for `~/.ssh/known_hosts`.
        address: private IP address at which other hosts reach it; for models over several hosts only.
        ray_port: first of the hundred ports that such a model has there.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    ssh: str = ""
    socket: str = DEFAULT_SOCKET
    labels: tuple[str, ...] = ()
    identity: str = ""
    known_hosts: str = ""
    address: Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]{0,45}$")] = ""
    ray_port: BlockPort = FIRST_PORT


class Fleet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file: `[[host]]` tables."""

    host: tuple[Host, ...]


def default_fleet_path() -> Path:
    """`$QUANTDECK_FLEET`, else the user's configuration folder."""
    given = os.environ.get("QUANTDECK_FLEET")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "quantdeck" / "fleet.toml"


def load_fleet(path: Path) -> Fleet:
    """Read a fleet file.

    Raises:
        FleetFileError: not there, no host in it, or a name twice.
        TomlError: not TOML, or not of this shape; with line and column.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FleetFileError(
            f"Cannot read {path}: {error}.",
            "Write one ([[host]] tables with name and ssh; see docs/fleet.md) or give --fleet FILE.",
        ) from None
    fleet = decode_toml(text, Fleet, str(path))
    names = [host.name for host in fleet.host]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice or not names:
        raise FleetFileError(
            f"{path}: the host {twice!r} stands there twice." if twice else f"{path} has no [[host]].",
            "Each host needs a name of its own.",
        )
    return fleet
