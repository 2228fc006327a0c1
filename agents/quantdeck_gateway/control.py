"""The control socket: what the agent asks and tells."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import msgspec

from quantdeck_core.errors import ConflictError, NotFoundError, QuantdeckError
from quantdeck_core.protocol.gateway import ConfigAck, ExperimentRoute, GatewayConfig, GatewayStatus
from quantdeck_gateway import __version__, config_file
from quantdeck_gateway.client import ClientConnection
from quantdeck_gateway.later import Later
from quantdeck_gateway.request import Request
from quantdeck_gateway.table import RoutingTable
from quantdeck_gateway.tee import Tee

log = logging.getLogger("quantdeck.gateway")


def only_lowers(config: GatewayConfig, current: GatewayConfig) -> bool:
    """Whether nothing differs but weights that fall, and treatments that have nobody left."""
    if len(config.experiments) != len(current.experiments):
        return False
    return all(map(_lowers, config.experiments, current.experiments))


def _lowers(new: ExperimentRoute, old: ExperimentRoute) -> bool:
    treatment = old.treatment if new.weight_bp == 0 else new.treatment
    as_before = msgspec.structs.replace(new, weight_bp=old.weight_bp, treatment=treatment)
    return new.weight_bp <= old.weight_bp and as_before == old


class ControlPlane:
    """Handler of the control socket.

    Args:
        path: where the config is kept; None for a gateway that was configured by its arguments.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        table: RoutingTable,
        tee: Tee | None,
        path: Path | None,
        listen: str,
    ) -> None:
        self._loop, self._table, self._tee, self._path, self._listen = loop, table, tee, path, listen
        self._one_change = asyncio.Lock()

    def handle(self, client: ClientConnection, request: Request) -> None:
        """Answer a request."""
        asked = (request.method, request.path)
        if asked == (b"GET", b"/v1/status"):
            client.answer(200, msgspec.json.encode(self.status()))
        elif asked == (b"PUT", b"/v1/config"):
            Later(self._loop, client, self._put_config(request.body))
        else:
            error = NotFoundError("There is no such path.", "Ask GET /v1/status or PUT /v1/config.")
            client.answer(404, msgspec.json.encode(error.info()))

    def status(self) -> GatewayStatus:
        """What the gateway serves now."""
        return GatewayStatus(
            pid=os.getpid(),
            version=__version__,
            revision=self._table.config.revision,
            listen=self._listen,
            routes=self._table.status(),
            tee_dropped=self._tee.dropped if self._tee else 0,
            tee_sampled_out=self._tee.sampled_out if self._tee else 0,
        )

    async def _put_config(self, body: bytes) -> tuple[int, bytes]:
        try:
            config = config_file.decode(body)
            async with self._one_change:
                await self._change(config)
        except QuantdeckError as error:
            return error.http_status, msgspec.json.encode(error.info())
        return 200, msgspec.json.encode(ConfigAck(revision=config.revision))

    async def _change(self, config: GatewayConfig) -> None:
        """Make a config hold: first on disk, then for the next request.

        Raises:
            ConflictError: it is older than the current one, or differs from it under the same revision.
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
        if self._path is not None:
            # In a thread: a disk that takes its time must not stop the streams.
            try:
                await self._loop.run_in_executor(None, config_file.save, self._path, config)
            except config_file.NotSavedError as error:
                if not only_lowers(config, current):
                    raise
                log.error("%s It only lowers weights, so that it holds until the next restart.", error.detail)
        self._table.apply(config)
