"""The control socket: what the agent, and people with curl, ask and tell."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from quantdeck_core.errors import ConflictError, InputError, NotFoundError, QuantdeckError
from quantdeck_core.protocol.gateway import (
    ConfigAck,
    GatewayConfig,
    GatewayStatus,
    Latch,
    RenewLease,
    SetWeight,
    Unlatch,
)
from quantdeck_gateway import __version__, change, config_file
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.later import Later
from quantdeck_gateway.lease import Leases
from quantdeck_gateway.request import Request
from quantdeck_gateway.table import RoutingTable
from quantdeck_gateway.tee import Tee

A = TypeVar("A")

log = logging.getLogger("quantdeck.gateway")


class ControlPlane:
    """Handler of the control socket, and the only place that changes what is served.

    Args:
        path: of the config: JSON keeps changes, TOML is a person's and is only read; None for a gateway that was
            configured by its arguments.
        lease_s: seconds until an experiment that nobody judges lapses; None for a gateway without an agent.
        drain: tells the gateway to finish its answers and end.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        table: RoutingTable,
        tee: Tee | None,
        path: Path | None,
        lease_s: float | None,
        listen: str,
        drain: Callable[[], None],
    ) -> None:
        self._loop, self._table, self._tee, self._path, self._listen = loop, table, tee, path, listen
        self._drain, self._kept = drain, _how_long(path)
        self._one_change = asyncio.Lock()
        self._leases = Leases(lease_s, loop.time())
        self._leases.know(route.name for route in table.live)

    def handle(self, client: ClientConnection, request: Request) -> None:
        """Answer a request."""
        match request.method, request.path:
            case b"GET", b"/v1/status":
                client.answer(200, msgspec.json.encode(self.status()))
            case b"POST", b"/v1/lease":
                self._renew(client, request.body)
            case b"POST", b"/v1/drain":
                client.answer(200, msgspec.json.encode(self._ack("It finishes its answers and ends.")))
                self._drain()
            case b"PUT", b"/v1/config":
                self._put(client, request.body)
            case b"POST", b"/v1/weight":
                self._later(client, request.body, SetWeight, change.with_weight)
            case b"POST", b"/v1/latch":
                self._later(client, request.body, Latch, change.with_latch)
            case b"POST", b"/v1/unlatch":
                self._later(client, request.body, Unlatch, change.without_latch)
            case _:
                error = NotFoundError("There is no such path.", "docs/gateway.md lists what may be asked here.")
                client.answer(404, msgspec.json.encode(error.info()))

    def status(self, ended: dict[str, float] | None = None) -> GatewayStatus:
        """What the gateway serves now."""
        return GatewayStatus(
            pid=os.getpid(),
            version=__version__,
            revision=self._table.config.revision,
            listen=self._listen,
            routes=self._table.status(lambda name: self._leases.status(name, ended)),
            tee_dropped=self._tee.dropped if self._tee else 0,
            tee_sampled_out=self._tee.sampled_out if self._tee else 0,
        )

    # Who judges

    def tick(self) -> None:
        """A second has passed."""
        before, late_before = self._leases.lapsed(), self._leases.late()
        lapsed, late = self._leases.look(self._loop.time()), self._leases.late()
        for name in sorted(lapsed - before):
            log.warning("%s: nobody has renewed its lease; its treatment is at 0 while the control is healthy", name)
        if (lapsed, late) != (before, late_before):
            self._table.set_lapsed(lapsed, late)

    def _renew(self, client: ClientConnection, body: bytes) -> None:
        try:
            names = _decode(body, RenewLease).experiments
        except InputError as error:
            client.answer(error.http_status, msgspec.json.encode(error.info()))
            return
        self.tick()
        late = self._leases.late()
        ended = self._leases.renew(names, self._loop.time())
        for name, seconds in ended.items():
            log.warning("%s: its lease is renewed after a lapse of %.0f s; its weight holds again", name, seconds)
        if late != self._leases.late():
            self._table.set_lapsed(self._leases.lapsed(), self._leases.late())
        client.answer(200, msgspec.json.encode(self.status(ended)))

    # Changes

    def _later(
        self, client: ClientConnection, body: bytes, kind: type[A], make: Callable[[GatewayConfig, A], GatewayConfig]
    ) -> None:
        def made(current: GatewayConfig) -> GatewayConfig:
            ask = _decode(body, kind)
            log.info("asked at revision %d: %r", current.revision, ask)
            return make(current, ask)

        Later(self._loop, client, self._changed(made))

    def _put(self, client: ClientConnection, body: bytes) -> None:
        def make(current: GatewayConfig) -> GatewayConfig:
            config, said = config_file.decode_saying(body)
            return change.keep_latches(config, current, said)

        Later(self._loop, client, self._changed(make))

    async def _changed(self, make: Callable[[GatewayConfig], GatewayConfig]) -> tuple[int, bytes]:
        try:
            async with self._one_change:
                await self._change(make(self._table.config))
        except QuantdeckError as error:
            return error.http_status, msgspec.json.encode(error.info())
        return 200, msgspec.json.encode(self._ack(self._kept))

    async def read_again(self) -> None:
        """Serve what the file says now; what cannot be used is logged and changes nothing."""
        if self._path is None:
            return
        try:
            async with self._one_change:
                config, said = await self._loop.run_in_executor(None, config_file.load_saying, self._path)
                current = self._table.config
                config = change.keep_latches(config, current, said)
                if config_file.is_toml(self._path):
                    same = msgspec.structs.replace(config, revision=current.revision)
                    config = msgspec.structs.replace(same, revision=current.revision + (same != current))
                await self._change(config, save=False)
        except QuantdeckError as error:
            log.error("%s was read again and is not served: %s %s", self._path, error.detail, error.hint)
        else:
            log.info("%s was read again: revision %d", self._path, self._table.config.revision)

    async def _change(self, config: GatewayConfig, *, save: bool = True) -> None:
        """Make a config hold: first on disk, then for the next request. All changes end here.

        Raises:
            ConflictError: it is older than the current one, differs from it under the same revision, or raises a weight
                that may not rise now.
            NotSavedError: the disk refused it. A config that only lowers weights holds all the same: a rollback must
                not wait for somebody to make room.
        """
        current = self._table.config
        if config == current:
            return
        if config.revision <= current.revision:
            raise ConflictError(
                f"Revision {config.revision} is not newer than {current.revision}, which holds.",
                "Read the status and send the change again with a higher revision.",
            )
        change.require_allowed(config, current, self._leases.lapsed())
        if self._path is not None and save and not config_file.is_toml(self._path):
            # In a thread: a disk that takes its time must not stop the streams.
            try:
                await self._loop.run_in_executor(None, config_file.save, self._path, config)
            except config_file.NotSavedError as error:
                if not change.only_lowers(config, current):
                    raise
                log.error("%s It only lowers weights, so that it holds until the next restart.", error.detail)
        self._table.apply(config)
        self._leases.know(route.name for route in config.experiments)

    def _ack(self, detail: str) -> ConfigAck:
        return ConfigAck(revision=self._table.config.revision, detail=detail)


def _decode(body: bytes, kind: type[A]) -> A:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise InputError(f"This is no {kind.__name__}: {error}", "docs/gateway.md shows what to send.") from None


def _how_long(path: Path | None) -> str:
    """What to say of a change that no file keeps."""
    if path is None:
        return "It holds until the gateway ends: no file keeps it."
    if config_file.is_toml(path):
        return f"It holds until {path} is read again, at SIGHUP or the next start: write it there too."
    return ""
