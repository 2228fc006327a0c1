"""One engine as the gateway sees it: its address, its open connections, what it works on, and how it stands."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from quantdeck_core.loopback import is_loopback
from quantdeck_core.protocol.gateway import Replica as ReplicaConfig
from quantdeck_core.protocol.gateway import ReplicaStatus
from quantdeck_gateway import pressure
from quantdeck_gateway.addresses import split_url
from quantdeck_gateway.ejection import Standing
from quantdeck_gateway.limits import CONNECT_S, CONNECTS_AT_ONCE, IDLE_CONNECTIONS, UPSTREAM_IDLE_S
from quantdeck_gateway.pressure import Reading
from quantdeck_gateway.rest import Rests
from quantdeck_gateway.tls import client_context

if TYPE_CHECKING:
    from quantdeck_gateway.upstream import UpstreamConnection


class Replica:
    """A replica and its pool of kept-alive connections.

    Attributes:
        salt: 64 bits of its own, for the users' affinity.
        in_flight: requests of this arm that it works on.
        removed: no longer in the config; it only finishes what it began.
        tls: None for plain HTTP.
        local: on this machine, whose end needs no keepalive to be noticed.
        model: the name by which it knows the model; empty where bodies pass unchanged.
        connecting: held while a connection is made.
        standing: whether it gets requests; changed by its arm alone.
        rests: which connections may be used again after a stream.
        failures: those of its standing, where the fast path of a success looks.
        signs: of life: answers, and seconds in which a stream went on.
        requests: that were sent to it, or could not be.
        failed: of them, those that count against it.
    """

    def __init__(self, config: ReplicaConfig) -> None:
        self.name = config.name
        self.url = config.url
        self.salt = int.from_bytes(sha256(config.name.encode()).digest()[:8], "big")
        self.in_flight = self.requests = self.failed = self.failures = self.signs = 0
        self.removed = False
        self.standing = Standing()
        self.connecting = asyncio.Semaphore(CONNECTS_AT_ONCE)
        self.rests = Rests()
        self._idle: list[UpstreamConnection] = []
        self._heads: dict[bytes, bytes] = {}
        address = split_url(config.url)
        self.host, self.port = address.host, address.port
        self.tls = client_context() if address.tls else None
        self.local = is_loopback(address.host)
        self._base, self._authority = address.path.encode(), address.authority.encode()
        self.update(config)

    def update(self, config: ReplicaConfig) -> None:
        """Take over what may change without becoming another replica: the key and the model's name."""
        self.model = config.model or ""
        self.authorization = f"Bearer {config.api_key}".encode() if config.api_key else b""
        self._heads.clear()

    def head(self, path: bytes) -> bytes:
        """Request line and host of a POST, ended by CRLF."""
        head = self._heads.get(path)
        if head is None:
            head = b"POST %b%b HTTP/1.1\r\nhost: %b\r\n" % (self._base, path, self._authority)
            self._heads[path] = head
        return head

    def take(self, now: float) -> UpstreamConnection | None:
        """An open connection that is surely not about to be closed by the engine, or None."""
        if not self._idle:
            return None
        connection = self._idle.pop()
        if now - connection.idle_since < UPSTREAM_IDLE_S:
            return connection
        connection.close()
        self.close_idle()  # the newest is too old, so all are
        return None

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next request."""
        if self.removed:
            connection.close()
        else:
            self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """The engine closed a connection."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close_stale(self, now: float) -> None:
        """Close what was not used for a while, and what is too many; the oldest come first."""
        too_many = len(self._idle) - IDLE_CONNECTIONS
        stale = 0
        for connection in self._idle:
            if stale >= too_many and now - connection.idle_since < UPSTREAM_IDLE_S:
                break
            stale += 1
            connection.close()
        del self._idle[:stale]

    def close_idle(self) -> None:
        """Close all connections that nobody uses."""
        self.rests.close_all()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def pressure(self) -> Reading | None:
        """What the engine's metrics say of its load; None where it has none, or no time for them."""
        authorization = b"authorization: %b\r\n" % self.authorization if self.authorization else b""
        head = b"GET %b/metrics HTTP/1.0\r\nhost: %b\r\n%b\r\n" % (self._base, self._authority, authorization)
        return await pressure.ask(self.host, self.port, head, self.tls)

    async def accepts(self) -> bool:
        """Whether it accepts a connection now."""
        if self._idle:
            return True
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            return False
        writer.close()
        return True

    def status(self) -> ReplicaStatus:
        """As the control socket shows it."""
        return ReplicaStatus(
            name=self.name,
            in_flight=self.in_flight,
            removed=self.removed,
            requests=self.requests,
            failures=self.failed,
            ejections=self.standing.ejections,
            ejected=self.standing.reason,
        )
