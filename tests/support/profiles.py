"""Profiles and commands for tests."""

from __future__ import annotations

import quantdeck_profiles
import quantdeck_profiles.data
from quantdeck_core.engines.argv import engine_command
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.engines.table import parse_flags
from quantdeck_core.profile.check import parse_profile
from quantdeck_core.profile.names import EngineKind
from quantdeck_core.profile.schema import Profile

FLAGS = parse_flags(quantdeck_profiles.data.text("engine-flags"))
BUILT_IN = {
    name: parse_profile(quantdeck_profiles.text(name), f"{name}.toml", FLAGS) for name in quantdeck_profiles.names()
}
FILE = "p.toml"


def toml(engine: EngineKind, *serve: str, top: str = "") -> str:
    """A profile as somebody writes it."""
    return "\n".join([f'name = "p"\nmodel = "m"\nengine = "{engine}"', top, "[serve]", *serve]) + "\n"


def parsed(engine: EngineKind, *serve: str, version: str | None = None) -> Profile:
    """That profile, read."""
    return parse_profile(toml(engine, *serve), FILE, FLAGS, version)


def command(profile: Profile, version: str | None = None, **launch: int) -> Command:
    """Its command, for a checkpoint at /models/m and port 9001."""
    where = {"model_path": "/models/m", "port": 9001, "python": "/py", "version": version, **launch}
    return engine_command(FLAGS, profile, Launch(**where))


def flags(argv: tuple[str, ...]) -> dict[str, str]:
    """Flag -> what follows it."""
    found: dict[str, str] = {}
    for index, word in enumerate(argv):
        if word.startswith("--"):
            following = argv[index + 1] if index + 1 < len(argv) else ""
            assert word not in found, f"{word} twice"
            found[word] = "" if following.startswith("--") else following
    return found
