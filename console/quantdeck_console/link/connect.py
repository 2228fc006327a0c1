"""Open the way to one agent: a local socket, or SSH with a checked host key."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from quantdeck_console.link.fleet_file import Host
from quantdeck_core.errors import QuantdeckError, UnreachableError

if TYPE_CHECKING:
    import asyncssh
    import httpx

    from quantdeck_console.link.agent_client import AgentClient

Client = TypeVar("Client", bound="AgentClient")

CONNECT_DEADLINE_S = 10.0
KEEPALIVE_S = 15
KEEPALIVE_MISSES = 2


class LinkRefusedError(QuantdeckError):
    """Trying again will not help: a wrong host key, or no permission."""

    code = "link-refused"
    title = "Connection refused"


@asynccontextmanager
async def agent_of(host: Host) -> AsyncIterator[AgentClient]:
    """`client_of` for what every part needs."""
    from quantdeck_console.link.agent_client import AgentClient

    async with client_of(host, AgentClient) as client:
        yield client


@asynccontextmanager
async def client_of(host: Host, kind: type[Client]) -> AsyncIterator[Client]:
    """A client of some kind for one host's agent.

    Raises:
        UnreachableError: the host does not answer.
        LinkRefusedError: its key is not the known one, or it does not accept ours.
    """
    async with transport_of(host) as transport:
        client = kind(host.name, transport)
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def transport_of(host: Host) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """What carries HTTP to one host's agent; whoever uses it closes it.

    Raises:
        UnreachableError, LinkRefusedError: as `client_of`.
    """
    if not host.ssh:
        import ssl

        import httpx  # 60 ms: only once something is connected

        # There is no TLS here, but httpx would read every certificate of this machine, 30 ms for each host.
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        yield httpx.AsyncHTTPTransport(uds=os.path.expanduser(host.socket), verify=unused)
        return
    connection = await _ssh(host)
    from quantdeck_console.link.ssh_transport import SshTransport

    try:
        yield SshTransport(connection, host.socket)
    finally:
        connection.close()
        await connection.wait_closed()


async def _ssh(host: Host) -> asyncssh.SSHClientConnection:
    import asyncssh  # 100 ms and 20 MiB: only where a host is reached by SSH

    user, address, port = split_ssh(host.ssh)
    options: dict[str, Any] = {"keepalive_interval": KEEPALIVE_S, "keepalive_count_max": KEEPALIVE_MISSES}
    if user:
        options["username"] = user
    if port:
        options["port"] = port
    if host.identity:
        options["client_keys"] = [os.path.expanduser(host.identity)]
    if host.known_hosts:
        options["known_hosts"] = os.path.expanduser(host.known_hosts)
    try:
        return await asyncssh.connect(address, connect_timeout=CONNECT_DEADLINE_S, **options)
    except asyncssh.HostKeyNotVerifiable as error:
        raise LinkRefusedError(
            f"The key of {host.name} is not the known one: {error}.",
            "Compare fingerprints with whoever runs the host before you change known_hosts.",
        ) from None
    except asyncssh.PermissionDenied:
        raise LinkRefusedError(f"{host.name} does not accept your key.", f"Try: ssh {host.ssh}") from None
    except (OSError, asyncssh.Error, TimeoutError) as error:
        text = str(error) or type(error).__name__
        raise UnreachableError(f"{host.name} cannot be reached by SSH: {text}.", f"Try: ssh {host.ssh}") from None


def split_ssh(target: str) -> tuple[str, str, int]:
    """`user@host:port` in parts; empty and 0 where not given. IPv6 addresses stand in brackets."""
    user, _, address = target.rpartition("@")
    host, separator, port = address.rpartition(":")
    if separator and port.isdigit() and (":" not in host or host.endswith("]")):
        return user, host.strip("[]"), int(port)
    return user, address.strip("[]"), 0
