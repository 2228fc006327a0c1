"""The command of a profile, as `quantdeck profile render` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_console.profile_source import flag_table, model_path
from quantdeck_core.engines.argv import parts_by_host, server_command
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.engines.shell import shell_lines
from quantdeck_core.engines.table import FlagTable
from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import InputError
from quantdeck_core.formats.detect import detect
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.nodes import FIRST_PORT, Member, Placement
from quantdeck_core.profile.schema import Profile

ANY_PORT = 8000
"""Shown where the agent would take any free one."""


_PLACES = "192.0.2"
"""Of a network that is for examples (RFC 5737)."""
_STATE = "/var/lib/quantdeck"


class RenderedPart(Command, frozen=True, kw_only=True):
    """One program of one host, for a model over several."""

    host: str
    role: str


class Rendered(Command, frozen=True, kw_only=True):
    """What `--json` prints.

    Attributes:
        version: of the engine for which it was written.
        note: where the version is newer than what is known here.
        parts: over several hosts: all programs with their hosts; `argv` is the server's among them.
    """

    profile: str
    engine: str
    version: str
    replica: int
    note: str = ""
    parts: tuple[RenderedPart, ...] = ()

    def lines(self) -> Iterator[str]:
        """For a shell; what is no command is a comment."""
        yield f"# {self.profile} on {self.engine} {self.version}"
        if self.note:
            yield f"# {self.note}"
        if not self.parts:
            yield from shell_lines(self)
            return
        yield f"# hosts and the addresses {_PLACES}.x stand for those that deploy names, in their order"
        for part in self.parts:
            yield ""
            yield f"# {part.host}: {part.role}"
            yield from shell_lines(part)


def render(profile: Profile, version: str | None, model: Path | None, port: int | None, replica: int) -> Rendered:
    """The command, for a checkpoint that need not be here; where it is, defaults follow its size.

    Raises:
        NothingToStartError, VersionUnknownError: as `server_command`.
        InputError: there is no such replica, or port.
    """
    table, serve = flag_table(), resolved(profile, None)
    if not 0 <= replica < serve.replicas:
        raise InputError(f"{profile.name} has no replica {replica}.", f"They are 0 to {serve.replicas - 1}.")
    if port is not None and not 1 <= port <= 65535:
        raise InputError(f"{port} is no port.", "A port is 1 to 65535.")
    path = model_path(profile) if model is None else model
    launch = Launch(
        model_path=str(path),
        port=port or (serve.port or ANY_PORT) + replica,
        version=version,
        replica=replica,
        parameters=detect(LocalSource(path)).parameters if path.exists() else None,
    )
    command = server_command(table, profile, launch)
    parts = tuple(_parts(table, profile, launch))
    written = table.version(profile.engine, version)
    newest = table.of(profile.engine).newest
    newer = version_key(written) > version_key(newest)
    return Rendered(
        argv=command.argv,
        env=command.env,
        env_from=command.env_from,
        drops=command.drops,
        profile=profile.name,
        engine=profile.engine,
        version=written,
        replica=replica,
        parts=parts,
        note=f"Flags are known up to {profile.engine} {newest}; later changes are not." if newer else "",
    )


def _parts(table: FlagTable, profile: Profile, launch: Launch) -> Iterator[RenderedPart]:
    """All programs of a model over several hosts, the head's first."""
    if profile.nodes is None:
        return
    ranks = range(profile.nodes.count)
    members = tuple(Member(host=f"host-{rank + 1}", address=f"{_PLACES}.{rank + 1}") for rank in ranks)
    launch = msgspec.structs.replace(launch, scratch=f"{_STATE}/ray-{FIRST_PORT}")
    for rank in ranks:
        nodes = msgspec.structs.replace(profile.nodes, placement=Placement(members=members, rank=rank))
        parts, shared = parts_by_host(table, msgspec.structs.replace(profile, nodes=nodes), launch)
        for part in parts:
            yield RenderedPart(
                argv=part.argv,
                env=shared.env,
                env_from=shared.env_from,
                drops=shared.drops,
                host=part.host,
                role=part.role,
            )
