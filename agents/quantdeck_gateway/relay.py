"""The short way of streamed events: from the engine's socket to the client's, past the event loop's transports."""

from __future__ import annotations

import asyncio
import logging
import select
from bisect import bisect_left
from os import read, write
from time import perf_counter
from typing import TYPE_CHECKING

from quantdeck_gateway.histogram import ITL_BOUNDS
from quantdeck_gateway.limits import KIB

if TYPE_CHECKING:
    from quantdeck_gateway.upstream import UpstreamConnection

_EVENT_END = b"\n\n\r\n"
"""How a read ends that brought whole events in whole chunks; the last chunk of an answer never ends like this."""
_MOST_UNREAD = 64
_MOST_READY = 512
_READ = 479
"""Bytes; with the header of an object the most that Python takes from its own pools. Most events are shorter."""
_READ_ON = 64 * KIB
_MOST_READS = 16
_READABLE = select.EPOLLIN
_WATCHED = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET

log = logging.getLogger("quantdeck.gateway")


class Pump:
    """Watches the engines' sockets of all streams that pass.

    Edge by edge, which the loop's own epoll does not: the kernel need not look again at a socket that was read until it
    was empty. So whoever is told must read all there is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._epoll = select.epoll()
        self._relays: dict[int, Relay] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, descriptor: int, relay: Relay) -> None:
        """Tell a relay whenever the descriptor becomes readable; at once if it is."""
        self._relays[descriptor] = relay
        self._epoll.register(descriptor, _WATCHED)

    def leave(self, descriptor: int) -> None:
        """Tell no more. To be called while the descriptor is open, since another connection may get its number."""
        del self._relays[descriptor]
        self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Watch nothing any more."""
        self.loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        relays, now = self._relays, perf_counter()
        for descriptor, what in self._epoll.poll(0, _MOST_READY):
            relay = relays.get(descriptor)
            if relay is None:
                continue  # it has left since the poll
            try:
                relay.ready(descriptor, what, now)
            except Exception:  # a defect of ours must not cost the others their turn: they would not get it again
                log.exception("a stream is broken off")
                relay.abort()


class Relay:
    """How the events of one answer go to its client.

    Each is written as it came, chunk framing included, and taken apart later, many at once. What is no whole event, a
    client that is slower than the engine, and the end all go the long way: over the transports.

    Args:
        pump: None where all must go the long way.
        client: of whom nothing else is written while events pass.
        counts: gaps between events, by `ITL_BOUNDS`.

    Attributes:
        last_at: when the last event passed.
        joined: the pump watches for it, and the loop does not.
        unread: events that have passed and were not taken apart yet.
    """

    __slots__ = (
        "_client",
        "_counts",
        "_joining",
        "_pump",
        "_source",
        "_straight",
        "_target",
        "_upstream",
        "joined",
        "last_at",
        "unread",
    )

    def __init__(
        self, pump: Pump | None, upstream: UpstreamConnection, client: asyncio.Transport, counts: list[int], now: float
    ) -> None:
        self._pump, self._upstream, self._client, self._counts = pump, upstream, client, counts
        self.last_at = now
        self.unread: list[bytes] = []
        self.joined = self._joining = self._straight = False

    def note(self) -> None:
        """An event went the long way."""
        now = perf_counter()
        self._counts[bisect_left(ITL_BOUNDS, now - self.last_at)] += 1
        self.last_at = now

    def join_soon(self) -> None:
        """Take over once the client has been written what the loop has for it."""
        if self._pump is not None and not self.joined and not self._joining:
            self._joining = True
            self._pump.loop.call_soon(self._join)

    def _join(self) -> None:
        self._joining = False
        upstream, client = self._upstream, self._client
        if self._pump is None or upstream.relay is not self or not upstream.may_pass or not self._client_is_free():
            return
        upstream.transport.pause_reading()
        self._source = upstream.transport.get_extra_info("socket").fileno()
        self._target = client.get_extra_info("socket").fileno()
        self.joined = self._straight = True
        self._pump.watch(self._source, self)

    def leave(self) -> None:
        """Watch no more; the transport does not read yet."""
        if self.joined and self._pump is not None:
            self.joined = False
            self._pump.leave(self._source)

    def abort(self) -> None:
        """Break the engine's answer off."""
        self._upstream.transport.abort()

    def _client_is_free(self) -> bool:
        return not self._client.get_write_buffer_size() and not self._client.is_closing()

    def ready(self, source: int, what: int, now: float) -> None:
        """The engine has sent something, or has closed the connection. This is all that an event costs."""
        if what != _READABLE:
            self._give_back()
            return
        try:
            data = read(source, _READ)
            if len(data) == _READ:
                data = self._read_on(data)
        except OSError:
            self._give_back()
            return
        if not data.endswith(_EVENT_END) or not (self._straight or self._straight_again()):
            self._the_long_way(data)
            return
        try:
            sent = write(self._target, data)
        except OSError:
            sent = 0  # the client's buffer is full, or it has gone: its transport finds out which
        if sent < len(data):
            self._straight = False
            self._client.write(data[sent:])
        self._counts[bisect_left(ITL_BOUNDS, now - self.last_at)] += 1
        self.last_at = now
        self.unread.append(data)
        if len(self.unread) >= _MOST_UNREAD:
            self._upstream.catch_up()

    def _the_long_way(self, data: bytes) -> None:
        self._straight = False
        if data:
            self._upstream.data_received(data)
        else:
            self._give_back()

    def _read_on(self, data: bytes) -> bytes:
        parts = [data]
        try:
            while len(parts[-1]) == _READ_ON or parts[-1] is data:
                if len(parts) > _MOST_READS:
                    self._give_back()  # others have their turn; the loop comes back to what is left
                    break
                parts.append(read(self._source, _READ_ON))
        except OSError:
            pass  # it is empty, or broken: then the next read says so
        return b"".join(parts)

    def _straight_again(self) -> bool:
        """Whether what went the long way has arrived, so that what comes now does not overtake it."""
        self._straight = self._upstream.may_pass and self._client_is_free()
        return self._straight

    def _give_back(self) -> None:
        """Let the loop find out what is the matter."""
        self.leave()
        self._upstream.transport.resume_reading()
