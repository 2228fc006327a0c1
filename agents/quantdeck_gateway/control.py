"""The control socket: what the agent, and people with curl, ask and tell."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
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
    UpgradeAck,
    UpgradeAsk,
)
from quantdeck_gateway import __version__, change, config_file
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.fleet import Fleet, upgrading
from quantdeck_gateway.later import Later
from quantdeck_gateway.lease import Leases
from quantdeck_gateway.request import Request

A = TypeVar("A")

log = logging.getLogger("quantdeck.gateway")


class ControlPlane:
    """Handler of the control socket, and the only place that changes what is served.

    Args:
        path: of the config: JSON keeps changes, TOML is a person's and is only read; None for a gateway that was
            configured by its arguments.
        leases: who judges what is served.
        drain: tells the gateway to finish its answers and end.
        upgrade: lets a successor take over, started with that Python or this one; returns its process id.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fleet: Fleet,
        leases: Leases,
        path: Path | None,
        listen: str,
        drain: Callable[[], None],
        upgrade: Callable[[str | None], Awaitable[int]],
    ) -> None:
        self._loop, self._fleet, self._leases, self._path, self._listen = loop, fleet, leases, path, listen
        self._drain, self._upgrade, self._kept = drain, upgrade, _how_long(path)
        leases.know(route.name for route in fleet.config.experiments)

    def handle(self, client: ClientConnection, request: Request) -> None:
        """Answer a request."""
        if self._fleet.retired:  # a connection that was made just before another gateway took this one's place
            moved = upgrading()
            client.answer(moved.http_status, msgspec.json.encode(moved.info()))
            return
        match request.method, request.path:
            case b"GET", b"/v1/status":
                Later(self._loop, client, self._get_status())
            case b"POST", b"/v1/lease":
                self._renew(client, request.body)
            case b"POST", b"/v1/drain":
                client.answer(200, msgspec.json.encode(self._ack("It finishes its answers and ends.")))
                self._drain()
            case b"POST", b"/v1/upgrade":
                Later(self._loop, client, self._post_upgrade(request.body))
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

    async def status(self, ended: dict[str, float] | None = None) -> GatewayStatus:
        """What the gateway serves now, all of its processes together."""
        report = await self._fleet.report(lambda name: self._leases.status(name, ended))
        return GatewayStatus(
            pid=os.getpid(),
            version=__version__,
            revision=self._fleet.config.revision,
            listen=self._listen,
            routes=report.routes,
            tee_dropped=report.tee_dropped,
            tee_sampled_out=report.tee_sampled_out,
        )

    async def _get_status(self, ended: dict[str, float] | None = None) -> tuple[int, bytes]:
        return 200, msgspec.json.encode(await self.status(ended))

    async def _post_upgrade(self, body: bytes) -> tuple[int, bytes]:
        try:
            ask = _decode(body or b"{}", UpgradeAsk)
            pid = await self._upgrade(ask.python)
        except QuantdeckError as error:
            return error.http_status, msgspec.json.encode(error.info())
        return 200, msgspec.json.encode(UpgradeAck(pid=pid))

    # Who judges

    def tick(self) -> None:
        """A second has passed."""
        before, late_before = self._leases.lapsed(), self._leases.late()
        lapsed, late = self._leases.look(self._loop.time()), self._leases.late()
        for name in sorted(lapsed - before):
            log.warning("%s: nobody has renewed its lease; its treatment is at 0 while the control is healthy", name)
        if (lapsed, late) != (before, late_before):
            self._fleet.set_lapsed(lapsed, late)

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
            self._fleet.set_lapsed(self._leases.lapsed(), self._leases.late())
        Later(self._loop, client, self._get_status(ended))

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
            async with self._fleet.changing():
                await self._change(make(self._fleet.config))
        except QuantdeckError as error:
            return error.http_status, msgspec.json.encode(error.info())
        return 200, msgspec.json.encode(self._ack(self._kept))

    async def read_again(self) -> None:
        """Serve what the file says now; what cannot be used is logged and changes nothing."""
        if self._path is None:
            return
        try:
            async with self._fleet.changing():
                config, said = await self._loop.run_in_executor(None, config_file.load_saying, self._path)
                current = self._fleet.config
                config = change.keep_latches(config, current, said)
                if config_file.is_toml(self._path):
                    same = msgspec.structs.replace(config, revision=current.revision)
                    config = msgspec.structs.replace(same, revision=current.revision + (same != current))
                await self._change(config, save=False)
        except QuantdeckError as error:
            log.error("%s was read again and is not served: %s %s", self._path, error.detail, error.hint)
        else:
            log.info("%s was read again: revision %d", self._path, self._fleet.config.revision)

    async def _change(self, config: GatewayConfig, *, save: bool = True) -> None:
        """Make a config hold: first on disk, then for the next request, whichever process it comes to. One that only
        lowers weights holds while it is still being written. All changes end here.

        Raises:
            ConflictError: it is older than the current one, differs from it under the same revision, or raises a weight
                that may not rise now.
            NotSavedError: the disk refused it. A config that only lowers weights holds all the same: a rollback must
                not wait for somebody to make room.
        """
        current = self._fleet.config
        if config == current:
            return
        if config.revision <= current.revision:
            raise ConflictError(
                f"Revision {config.revision} is not newer than {current.revision}, which holds.",
                "Read the status and send the change again with a higher revision.",
            )
        change.require_allowed(config, current, self._leases.lapsed())
        if self._path is None or not save or config_file.is_toml(self._path):
            await self._fleet.apply(config)
        else:
            # In a thread: a disk that takes its time must not stop the streams.
            saving = self._loop.run_in_executor(None, config_file.save, self._path, config)
            lowers = change.only_lowers(config, current)
            if lowers:
                await self._fleet.apply(config)
            try:
                await saving
            except config_file.NotSavedError as error:
                if not lowers:
                    raise
                log.error("%s It only lowers weights, so that it holds until the next restart.", error.detail)
            if not lowers:
                await self._fleet.apply(config)
        self._leases.know(route.name for route in config.experiments)

    def _ack(self, detail: str) -> ConfigAck:
        return ConfigAck(revision=self._fleet.config.revision, detail=detail)


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
