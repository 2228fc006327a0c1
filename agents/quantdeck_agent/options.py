"""How an agent was started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quantdeck_agent.paths import Paths

LEASE_S = 60.0


@dataclass(frozen=True)
class SshOptions:
    """Where and with which keys the agent serves SSH itself."""

    host: str
    port: int
    host_key: Path
    authorized_keys: Path


@dataclass(frozen=True)
class Options:
    """How an agent was started.

    Attributes:
        gateway: `HOST:PORT` of its gateway, None for a host without one.
        gateway_workers: processes of it that accept clients.
        gateway_access_log: file of a line for each request, without any text; None: there is none.
        lease_s: seconds without a judge after which its gateway takes treatments to 0.
        gateway_keys: file of the API keys that clients need; None: whoever reaches the gateway may ask.
        alerts: file of who is told of alarms; None: nobody outside.
        metrics: `HOST:PORT` where Prometheus may scrape, None for the sockets alone.
        lifeline: file descriptor of a pipe; when its other end closes, the agent ends and takes its engines and its
            gateway with it. None: they outlive it.
    """

    name: str
    paths: Paths
    gateway: str | None = None
    gateway_workers: int = 1
    gateway_access_log: Path | None = None
    gateway_keys: Path | None = None
    alerts: Path | None = None
    metrics: str | None = None
    ssh: SshOptions | None = None
    lifeline: int | None = None
    lease_s: float = LEASE_S
