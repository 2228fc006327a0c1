"""The exact command of an engine: pure, so that it can be shown before anything starts."""

from __future__ import annotations

import msgspec

from quantdeck_core.engines.command import Command
from quantdeck_core.engines.flags import flags_of
from quantdeck_core.engines.gpus import visible
from quantdeck_core.engines.launch import Launch
from quantdeck_core.engines.llamacpp_argv import llama_cpp_python_env, llama_cpp_python_values, llamacpp_values
from quantdeck_core.engines.over_hosts import Part, host_command, parts_of, require_placement, with_cluster
from quantdeck_core.engines.table import FlagTable
from quantdeck_core.engines.vllm_argv import vllm_env, vllm_values
from quantdeck_core.errors import ExitCode, QuantdeckError
from quantdeck_core.profile.defaults import resolved
from quantdeck_core.profile.names import VLLM
from quantdeck_core.profile.schema import Profile

_KEY_VARIABLE = {"llama-server": "LLAMA_API_KEY", "llama-cpp-python": "API_KEY"}
"""The variable from which an engine takes its API key; vLLM's is `VLLM_API_KEY`."""


class NothingToStartError(QuantdeckError):
    """An engine that somebody else starts."""

    code = "external-engine"
    title = "Nothing to start"
    exit_code = ExitCode.NO
    http_status = 409


def engine_command(table: FlagTable, profile: Profile, launch: Launch) -> Command:
    """The process that an agent starts for a profile.

    Args:
        profile: without problems (`profile.check`).

    Raises:
        NothingToStartError: the engine is external.
        PlacementError: it needs several hosts, and they are not named.
        VersionUnknownError, InputError: as `FlagTable.version`.
    """
    command = server_command(table, profile, launch)
    if profile.nodes is None:
        return command
    return host_command(command, profile, profile.nodes, resolved(profile, launch.parameters), launch)


def parts_by_host(table: FlagTable, profile: Profile, launch: Launch) -> tuple[tuple[Part, ...], Command]:
    """What runs on this host for a profile over several, and the environment of all of it; errors as above."""
    command = server_command(table, profile, launch)
    if profile.nodes is None:
        return (), command
    placed = require_placement(profile, profile.nodes)
    shared = with_cluster(command, profile.nodes, placed, launch)
    return parts_of(command, resolved(profile, launch.parameters), placed, launch), shared


def server_command(table: FlagTable, profile: Profile, launch: Launch) -> Command:
    """The engine's own server; arguments and errors as for `engine_command`."""
    if profile.engine == "external":
        raise NothingToStartError(
            f"{profile.name} is external: quantdeck does not start it.",
            f"Start it yourself; it is expected at {profile.url}.",
        )
    engine, version = table.of(profile.engine), table.version(profile.engine, launch.version)
    serve = resolved(profile, launch.parameters)
    values: dict[str, object] = msgspec.structs.asdict(serve)
    values |= {"served_name": profile.served_name, "model_path": launch.model_path, "port": launch.port}
    env = {**engine.sets, **visible(profile.engine, serve, launch.replica)}
    positional: tuple[str, ...] = ()
    if profile.engine in VLLM:
        positional = (launch.model_path,)
        values |= vllm_values(serve)
        env |= vllm_env(profile, serve)
    elif profile.engine == "llama-cpp-python":
        values |= llama_cpp_python_values(serve)
        env |= llama_cpp_python_env(serve.host, launch.port)
    else:
        values |= llamacpp_values(serve)
    program = tuple(launch.python if word == "{python}" else word for word in engine.program)
    if launch.executable is not None and engine.program[0] != "{python}":
        program = (launch.executable, *program[1:])
    key = _KEY_VARIABLE.get(profile.engine, "VLLM_API_KEY")
    return Command(
        argv=(*program, *positional, *flags_of(table, profile.engine, version, values), *serve.extra_args),
        env={**env, **serve.env},
        env_from={key: serve.api_key_env} if serve.api_key_env else {},
        drops=engine.drops,
    )
