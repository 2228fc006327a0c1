"""The commands of the engines that this agent starts."""

from __future__ import annotations

import os
import sys
from functools import cache
from hashlib import blake2b

import msgspec

from quantdeck_agent.engines.record import EngineRecord
from quantdeck_core.engines.argv import engine_command
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.engines.over_hosts import require_placement
from quantdeck_core.engines.table import FlagTable, parse_flags
from quantdeck_core.errors import InputError
from quantdeck_core.profile.check import require_usable
from quantdeck_core.profile.schema import Profile
from quantdeck_profiles import data

RECORD = "QUANTDECK_ENGINE"
"""Environment variable with the engine's record, from which an agent that lost its state knows what it runs."""


class KeyMissingError(InputError):
    """A profile asks for a key that the agent does not have."""

    code = "api-key-missing"
    title = "Key missing"


@cache
def flags() -> FlagTable:
    """What engines take on their command lines."""
    return parse_flags(data.text("engine-flags"))


def require_startable(profile: Profile) -> None:
    """Refuse a profile before anything is stored or started.

    Raises:
        InputError: what `profile validate` says, or a key that is not in the agent's environment.
    """
    require_usable(profile, flags())
    serves = profile.nodes is None or profile.nodes.placement is None or profile.nodes.placement.rank == 0
    if serves:
        _require_variable(profile, "its API key", profile.serve.api_key_env)
    if profile.nodes is not None:
        require_placement(profile, profile.nodes)
        _require_variable(profile, "the secret that its hosts share", profile.nodes.token_env)


def _require_variable(profile: Profile, what: str, name: str | None) -> None:
    if name and not os.environ.get(name):
        raise KeyMissingError(
            f"{profile.name} takes {what} from {name}, which is not set in the agent's environment.",
            "Set it where the agent is started (systemd: Environment= or EnvironmentFile=).",
        )


def api_key(profile: Profile) -> str | None:
    """The key that its engine asks for."""
    return os.environ.get(profile.serve.api_key_env) if profile.serve.api_key_env else None


def command_line(record: EngineRecord) -> tuple[list[str], dict[str, str]]:
    """argv and the whole environment of an engine's process."""
    command = _command(record)
    remembered = msgspec.structs.replace(record, identity=None, ready_s=None)
    env = command.environment(os.environ) | {RECORD: msgspec.json.encode(remembered).decode()}
    return list(command.argv), env


def shown_command(record: EngineRecord) -> tuple[tuple[str, ...], dict[str, str]]:
    """argv, and the variables that are set, as people may see them: without keys. Both empty for an external engine."""
    if record.external:
        return (), {}
    command = _command(record)
    return command.argv, command.env


def _command(record: EngineRecord) -> Command:
    engine = record.profile.engine
    python = record.program if engine == "llama-cpp-python" else sys.executable
    launch = Launch(
        model_path=record.model_path,
        port=record.port,
        python=python,
        executable=record.program or None,
        version=record.version or None,
        replica=record.replica,
        scratch=record.scratch,
    )
    return engine_command(flags(), record.profile, launch)


def recipe_of(record: EngineRecord) -> str:
    """Digest of what is served and how: the same for two processes that differ in port and time alone."""
    if record.external:
        profile = record.profile
        what = [profile.url, profile.model, *([profile.upstream_model] if profile.upstream_model else [])]
    else:
        argv, _ = shown_command(msgspec.structs.replace(record, port=0, replica=0))
        env = sorted(record.profile.serve.env.items())
        what = [*argv, *(f"{name}={value}" for name, value in env), record.version, record.fingerprint]
    return blake2b("\0".join(what).encode(), digest_size=8).hexdigest()
