"""The commands of the engines that this agent starts."""

from __future__ import annotations

import os
import sys
from functools import cache

from quantdeck_agent.engines.record import EngineRecord
from quantdeck_core.engines.argv import engine_command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.engines.table import FlagTable, parse_flags
from quantdeck_core.errors import InputError
from quantdeck_core.profile.check import require_usable
from quantdeck_core.profile.schema import Profile
from quantdeck_profiles import data

STARTS = ("xllamacpp",)


class EngineUnsupportedError(InputError):
    """A profile for something that this agent cannot do."""

    code = "engine-unsupported"
    title = "Not by this agent"


@cache
def _flags() -> FlagTable:
    return parse_flags(data.text("engine-flags"))


def require_startable(profile: Profile) -> None:
    """Refuse a profile before anything is stored or started.

    Raises:
        EngineUnsupportedError: another engine, or several replicas at once.
        InputError: what `profile validate` says.
    """
    if profile.engine not in STARTS:
        raise EngineUnsupportedError(
            f"This agent starts {', '.join(STARTS)}, not {profile.engine}.",
            "`quantdeck profile render` prints the command that starts it.",
        )
    if (profile.serve.replicas or 1) > 1:
        raise EngineUnsupportedError(
            f"{profile.name} asks for {profile.serve.replicas} replicas, and one instance is started at a time.",
            "Deploy it with replicas = 1, once under each --name.",
        )
    require_usable(profile, _flags())


def command_line(record: EngineRecord) -> tuple[list[str], dict[str, str]]:
    """argv and the whole environment of an engine's process."""
    launch = Launch(model_path=record.model_path, port=record.port, python=sys.executable)
    command = engine_command(_flags(), record.profile, launch)
    return list(command.argv), command.environment(os.environ)
