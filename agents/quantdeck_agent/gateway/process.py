"""The gateway's processes: adopted where they run already, started where none does, and started again when they die.

After an upgrade another process serves, in a session of its own, while the one before it finishes its answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path

import msgspec
import psutil

from quantdeck_agent.gateway.control import GatewayControl
from quantdeck_agent.paths import Paths
from quantdeck_agent.ports import free_port, listens, split_address
from quantdeck_agent.process.identity import ProcessIdentity, start_time
from quantdeck_agent.process.session import marked, members
from quantdeck_agent.process.spawn import last_words, reap, spawn
from quantdeck_agent.store import StateWriteError, Store
from quantdeck_core.errors import PortInUseError, QuantdeckError
from quantdeck_core.protocol.gateway import GatewayStatus

KIND = "gateway"
START_DEADLINE_S = 15.0
STOP_DEADLINE_S = 10.0
LEFTOVERS_S = 0.5
"""For workers whose leader was killed, to notice and to stop listening."""
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
    """One gateway on `listen` (`HOST:PORT`), of so many workers.

    Args:
        lease_s: seconds without a judge after which its treatments go to 0.
        access_log: where it writes a line for each request; None: it writes none.
    """

    def __init__(
        self,
        paths: Paths,
        store: Store,
        control: GatewayControl,
        owner: str,
        listen: str,
        lease_s: float,
        workers: int = 1,
        access_log: Path | None = None,
    ) -> None:
        self.listen, self._lease_s, self._workers, self._access_log = listen, lease_s, workers, access_log
        self._control, self._marker = control, f"{owner}/gateway"
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
        if await self.follow(wanted):
            return
        record = self._store.all(KIND, GatewayRecord).get("gateway") or self._found()
        if record and (wanted == 0 or record.listen == self.listen) and record.identity.alive():
            self._identity, self.listen = record.identity, record.listen
            return
        self.listen = f"{host}:{await self._free_port(wanted)}"
        paths = self._paths
        argv = [sys.executable, "-m", "quantdeck_gateway"]
        argv += ["--config", str(paths.gateway_config), "--listen", self.listen]
        argv += ["--control-socket", str(paths.gateway_control), "--signals-socket", str(paths.gateway_signals)]
        argv += ["--probe-seconds", "0"]  # the agent asks its engines for tokens; the gateway those that failed it
        argv += ["--lease-seconds", f"{self._lease_s:g}"]
        argv += ["--workers", str(self._workers)] if self._workers > 1 else []
        argv += ["--access-log", str(self._access_log)] if self._access_log else []
        self._identity = spawn(argv, self._marker, self._log)
        self._remember(GatewayRecord(identity=self._identity, listen=self.listen))
        await self._until_listening()

    async def follow(self, wanted: int = 0) -> bool:
        """Adopt who answers on the control socket, where it is ours.

        Args:
            wanted: the port where it must listen; 0 for any.
        """
        try:
            status = await self._control.status()
        except QuantdeckError:
            return False
        if wanted and int(status.listen.rpartition(":")[2]) != wanted:
            return False
        return self.adopt(status)

    def adopt(self, status: GatewayStatus) -> bool:
        """The process that gave this answer is the gateway from now on, where it carries our marker."""
        if self._identity is not None and self._identity.pid == status.pid and self._identity.alive():
            return True
        try:
            identity = ProcessIdentity(pid=status.pid, created=start_time(status.pid), marker=self._marker)
        except psutil.Error:
            return False
        if identity.process() is None:
            return False
        self._identity, self.listen = identity, status.listen
        self._remember(GatewayRecord(identity=identity, listen=status.listen))
        return True

    async def _free_port(self, wanted: int) -> int:
        """A port to listen on; workers whose leader has died must leave it first.

        Raises:
            PortInUseError: somebody else is there.
        """
        deadline = time.monotonic() + LEFTOVERS_S
        while True:
            try:
                return free_port(wanted)
            except PortInUseError:
                holders = [one for one in self._processes() if listens(one, wanted)]
                if not holders:
                    return free_port(wanted)
                if time.monotonic() >= deadline:
                    for one in holders:
                        with contextlib.suppress(psutil.Error):
                            one.kill()
            await asyncio.sleep(POLL_S)

    def _processes(self) -> list[psutil.Process]:
        """All that belongs to this gateway and lives."""
        sessions = [one for one in marked(self._owner) if one.marker == self._marker]
        return [process for session in sessions for process in members(session)]

    def _found(self) -> GatewayRecord | None:
        """The gateway of an agent whose state was lost: it is known by its marker, and its address by its arguments."""
        mine = (one for one in marked(self._owner) if one.marker == self._marker and one.alive())
        identity = max(mine, key=lambda one: one.created, default=None)
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
        """End all of it, also what is left of those before it; they finish their streams first, up to a deadline."""
        if self._identity is None:
            return
        left = self._processes()
        _signal(left, signal.SIGTERM)
        deadline = time.monotonic() + STOP_DEADLINE_S
        while (left := [one for one in left if _lives(one)]) and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
        _signal(self._processes(), signal.SIGKILL)
        with contextlib.suppress(StateWriteError):
            self._store.delete(KIND, "gateway")


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    reap()
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
