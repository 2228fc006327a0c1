"""The gateway process: adopted where one runs already, started where none does, and started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time

import msgspec
import psutil

from quantdeck_agent.paths import Paths
from quantdeck_agent.ports import free_port, listens, split_address
from quantdeck_agent.process.identity import ProcessIdentity
from quantdeck_agent.process.session import marked
from quantdeck_agent.process.spawn import last_words, spawn
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.errors import QuantdeckError

KIND = "gateway"
START_DEADLINE_S = 15.0
STOP_DEADLINE_S = 10.0
POLL_S = 0.05


class GatewayFailedError(QuantdeckError):
    """The gateway did not come up."""

    code = "gateway-failed"
    title = "Gateway failed"


class GatewayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of the gateway."""

    identity: ProcessIdentity
    listen: str


class GatewayProcess:
    """One gateway on `listen` (`HOST:PORT`); `lease_s`: seconds without a judge after which its treatments go to 0."""

    def __init__(self, paths: Paths, store: Store, owner: str, listen: str, lease_s: float) -> None:
        self.listen, self._lease_s = listen, lease_s
        self._paths, self._store, self._owner = paths, store, owner
        self._log = paths.logs / "gateway.log"
        self._identity: ProcessIdentity | None = None

    @property
    def identity(self) -> ProcessIdentity | None:
        """The process, None before the first start."""
        return self._identity

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._identity is not None and self._identity.alive()

    async def start(self) -> None:
        """Adopt the gateway of an earlier agent, or start one and wait until it listens.

        Raises:
            PortInUseError: somebody else listens there.
            GatewayFailedError: it ended or did not listen in time; with its last words.
        """
        host, wanted = split_address(self.listen)
        record = self._store.all(KIND, GatewayRecord).get("gateway") or self._found()
        if record and (wanted == 0 or record.listen == self.listen) and record.identity.alive():
            self._identity, self.listen = record.identity, record.listen
            return
        self.listen = f"{host}:{free_port(wanted)}"
        paths = self._paths
        argv = [sys.executable, "-m", "quantdeck_gateway"]
        argv += ["--config", str(paths.gateway_config), "--listen", self.listen]
        argv += ["--control-socket", str(paths.gateway_control), "--signals-socket", str(paths.gateway_signals)]
        argv += ["--probe-seconds", "0"]  # the agent asks its engines for tokens; the gateway those that failed it
        argv += ["--lease-seconds", f"{self._lease_s:g}"]
        self._identity = spawn(argv, f"{self._owner}/gateway", self._log)
        self._remember(GatewayRecord(identity=self._identity, listen=self.listen))
        await self._until_listening()

    def _found(self) -> GatewayRecord | None:
        """The gateway of an agent whose state was lost: it is known by its marker, and its address by its arguments."""
        mine = f"{self._owner}/gateway"
        identity = next((one for one in marked(self._owner) if one.marker == mine), None)
        process = identity.process() if identity else None
        if identity is None or process is None:
            return None
        try:
            argv = process.cmdline()
        except psutil.Error:
            return None
        if "--listen" not in argv[:-1]:
            return None
        record = GatewayRecord(identity=identity, listen=argv[argv.index("--listen") + 1])
        self._remember(record)
        return record

    def _remember(self, record: GatewayRecord) -> None:
        with contextlib.suppress(StateWriteError):  # a full disk; it is found by its marker then
            self._store.put(KIND, "gateway", record)

    async def _until_listening(self) -> None:
        port = int(self.listen.rpartition(":")[2])
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            process = self._identity.process() if self._identity else None
            if process is None:
                raise GatewayFailedError(
                    f"The gateway for {self.listen} ended: {last_words(self._log)}", f"Read {self._log}."
                )
            if listens(process, port) and self._paths.gateway_control.exists():
                return
            await asyncio.sleep(POLL_S)
        await self.stop()
        raise GatewayFailedError(
            f"The gateway did not listen on {self.listen} within {START_DEADLINE_S:.0f} s.", f"Read {self._log}."
        )

    async def stop(self) -> None:
        """End it; it finishes its streams first, up to a deadline."""
        if self._identity is None:
            return
        self._identity.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + STOP_DEADLINE_S
        while self._identity.alive() and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
        self._identity.signal_group(signal.SIGKILL)
        with contextlib.suppress(StateWriteError):
            self._store.delete(KIND, "gateway")
