"""One model over several hosts: the table `[nodes]` of a profile, and which host does what part of it."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import msgspec
from msgspec import Meta

BLOCK = 100
"""Ports that an engine over several hosts has on each of them, counted from the host's own first one."""
FIRST_PORT = 20100
"""Where a host names none. Below the ports that the kernel gives to connections (32768 on Linux)."""

HostName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
BlockPort = Annotated[int, Meta(ge=1024, le=65535 - BLOCK)]


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the hosts.

    Attributes:
        host: its name in the fleet, for people.
        address: the IP address at which the others reach it.
        port: the first of its block of ports.
    """

    host: HostName
    address: Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]{2,45}$")]
    port: BlockPort = FIRST_PORT

    def at(self, offset: int) -> str:
        """`ADDRESS:PORT` of one of its ports."""
        return (
            f"[{self.address}]:{self.port + offset}" if ":" in self.address else f"{self.address}:{self.port + offset}"
        )


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which hosts hold one replica, and which of them this is. It is a fact of a deployment: no file has it.

    Attributes:
        rank: number of this host; 0 is the head, where the server is.
    """

    members: Annotated[tuple[Member, ...], Meta(min_length=2, max_length=64)]
    rank: Annotated[int, Meta(ge=0, le=63)] = 0

    @property
    def head(self) -> Member:
        """Where the server is, and what the others join."""
        return self.members[0]

    @property
    def here(self) -> Member:
        """This host."""
        return self.members[self.rank]


class Nodes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[nodes]`: one replica takes the GPUs of several hosts, joined by Ray.

    Attributes:
        count: hosts of one replica. Each has `tensor_parallel_size` x `pipeline_parallel_size` / `count` GPUs in it.
        token_env: name of the environment variable of every host's agent that holds the cluster's secret: who joins
            the cluster can run any program on its hosts. The secret itself is in no file of ours.
        placement: filled in by `deploy`.
    """

    count: Annotated[int, Meta(ge=2, le=64)]
    token_env: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")] = "QUANTDECK_RAY_TOKEN"  # noqa: S105 - its name, not its value
    placement: Placement | None = None


def address_problem(address: str) -> str | None:
    """Why other hosts cannot use an address; None where they can."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return f"{address!r} is no IP address"
    if found.is_unspecified or found.is_multicast:
        return f"{address} is no address of one host"
    if address == "127.0.0.1" or address == "::1":
        return f"{address} is each host's own"
    if found.is_global:
        return f"{address} is a public address"
    return None


def placement_problem(nodes: Nodes) -> str | None:
    """Why the hosts of a deployment cannot hold it together; None where they can."""
    placed = nodes.placement
    if placed is None:
        return f"it needs {nodes.count} hosts, and the deployment names none"
    members = placed.members
    if len(members) != nodes.count:
        return f"it needs {nodes.count} hosts, and the deployment names {len(members)}"
    if placed.rank >= len(members):
        return f"there is no host number {placed.rank}"
    if len({member.host for member in members}) != len(members):
        return "a host is named twice"
    if len({member.address for member in members}) != len(members):
        return "two hosts have the same address"
    return next((problem for member in members if (problem := address_problem(member.address))), None)
