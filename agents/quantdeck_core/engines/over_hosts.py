"""A model over several hosts: what runs on which of them, and the one process that an agent starts there."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from quantdeck_core.engines import ray
from quantdeck_core.engines.command import Command
from quantdeck_core.engines.launch import Launch
from quantdeck_core.errors import InputError
from quantdeck_core.profile.nodes import Nodes, Placement, placement_problem
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.serve import Resolved

MAIN = "quantdeck_agent.engines.ray_node_main"
"""The program of ours that runs a host's commands in one session."""
SEPARATOR = "--"
"""Stands before each command that it runs."""


class PlacementError(InputError):
    """Hosts that cannot hold a model together."""

    code = "bad-placement"
    title = "Cannot be put on these hosts"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One program of a host.

    Attributes:
        host: for people.
        role: what it is there.
    """

    host: str
    role: str
    argv: tuple[str, ...]


def require_placement(profile: Profile, nodes: Nodes) -> Placement:
    """The hosts of a deployment.

    Raises:
        PlacementError: there are none, or they do not go together.
    """
    problem = placement_problem(nodes)
    if problem is not None or nodes.placement is None:
        raise PlacementError(
            f"{profile.name}: {problem}.",
            f"Name {nodes.count} hosts, the head first: --host A --host B. fleet.toml has their private addresses.",
        )
    return nodes.placement


def parts_of(server: Command, serve: Resolved, placed: Placement, launch: Launch) -> tuple[Part, ...]:
    """What runs on this host, in the order in which it is started.

    Args:
        server: vLLM's own command; it runs on the head alone.
    """
    here, program, gpus = placed.here, ray.ray_beside(server.argv[0]), serve.gpus_per_host
    if placed.rank:
        node = ray.start_node(program, placed.head, here, gpus, launch.scratch)
        return (Part(host=here.host, role=f"node {placed.rank + 1} of {len(placed.members)}", argv=node),)
    head = ray.start_head(program, here, gpus, launch.scratch)
    return (
        Part(host=here.host, role="head", argv=head),
        Part(host=here.host, role="server", argv=(*server.argv, "--distributed-executor-backend", "ray")),
    )


def with_cluster(server: Command, nodes: Nodes, placed: Placement, launch: Launch) -> Command:
    """vLLM's command with the environment that it shares with Ray. Its API key is the head's alone."""
    keys = {} if placed.rank else server.env_from
    return msgspec.structs.replace(
        server,
        env={**server.env, **ray.ray_env(placed, launch.scratch)},
        env_from={**keys, "RAY_AUTH_TOKEN": nodes.token_env},
        drops=(*server.drops, *ray.DROPS),
    )


def host_command(server: Command, profile: Profile, nodes: Nodes, serve: Resolved, launch: Launch) -> Command:
    """The one process of a host: our own program, which runs its parts.

    Raises:
        PlacementError: the profile was not deployed to as many hosts as it needs.
    """
    placed = require_placement(profile, nodes)
    parts = parts_of(server, serve, placed, launch)
    command = with_cluster(server, nodes, placed, launch)
    return msgspec.structs.replace(
        command, argv=(launch.python, "-m", MAIN, *_arguments(parts, placed, launch.scratch))
    )


def _arguments(parts: tuple[Part, ...], placed: Placement, scratch: str) -> Iterator[str]:
    yield from ("--address", placed.here.address, "--port", str(placed.here.port), "--scratch", scratch)
    for member, port in ray.awaited(placed):
        # One word: a host may be called anything.
        yield f"--await={member.host}={member.at(port - member.port)}"
    for part in parts:
        yield from (SEPARATOR, *part.argv)
