"""The command of a profile, as `quantdeck profile render` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from quantdeck_checkpoints.local_source import LocalSource
from quantdeck_console.profile_source import flag_table, model_path
from quantdeck_core.engines.argv import engine_command
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.engines.shell import shell_lines
from quantdeck_core.engines.version import version_key
from quantdeck_core.errors import InputError
from quantdeck_core.formats.detect import detect
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.schema import Profile

ANY_PORT = 8000
"""Shown where the agent would take any free one."""


class Rendered(Command, frozen=True, kw_only=True):
    """What `--json` prints.

    Attributes:
        version: of the engine for which it was written.
        note: where the version is newer than what is known here.
    """

    profile: str
    engine: str
    version: str
    replica: int
    note: str = ""

    def lines(self) -> Iterator[str]:
        """For a shell; what is no command is a comment."""
        yield f"# {self.profile} on {self.engine} {self.version}"
        if self.note:
            yield f"# {self.note}"
        yield from shell_lines(self)


def render(profile: Profile, version: str | None, model: Path | None, port: int | None, replica: int) -> Rendered:
    """The command, for a checkpoint that need not be here; where it is, defaults follow its size.

    Raises:
        NothingToStartError, VersionUnknownError: as `engine_command`.
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
    command = engine_command(table, profile, launch)
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
        note=f"Flags are known up to {profile.engine} {newest}; later changes are not." if newer else "",
    )
