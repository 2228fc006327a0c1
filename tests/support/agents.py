"""Real agents for tests: processes of their own, on folders of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import psutil

from quantdeck_agent.store import Store
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.protocol.engine import EngineStatus
from quantdeck_core.protocol.host import HostStatus
from support.processes import session
from support.waiting import eventually


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a path short enough for Unix sockets (pytest's own is too long)."""
    with tempfile.TemporaryDirectory(prefix="qd-", dir="/tmp") as folder:
        yield Path(folder)


class AgentProcess:
    """An agent that a test starts, kills and starts again."""

    def __init__(self, folder: Path, models: Path, *arguments: str) -> None:
        self.folder, self.models, self.arguments = folder, models, arguments
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def ready_file(self) -> Path:
        return self.folder / "run" / "agent.json"

    def socket(self, role: str = "operator") -> Path:
        return self.folder / "run" / f"{role}.sock"

    def client(self, role: str = "operator") -> AgentClient:
        return AgentClient("test", httpx.AsyncHTTPTransport(uds=str(self.socket(role))))

    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    async def start(self, *, ready: bool = True, pass_fds: Sequence[int] = ()) -> None:
        self.ready_file.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "quantdeck", "agent", "run", "--name", "test"]
        argv += ["--state", str(self.folder / "state"), "--runtime", str(self.folder / "run")]
        argv += ["--models", str(self.models), *self.arguments]
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True, pass_fds=pass_fds)
        if ready:
            await eventually(lambda: self.ready_file.exists() or self.process.poll() is not None, what="agent ready")
            assert self.process.poll() is None, self.log()

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    async def again(self, *, ready: bool = True) -> None:
        """Kill it, and start the next one."""
        self.kill()
        await self.start(ready=ready)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Store]:
        """Its state, while it is dead."""
        store = Store(self.folder / "state" / "agent.db")
        try:
            yield store
        finally:
            store.close()

    def forget(self) -> None:
        """Lose its state, while it is dead: all but the logs and what the gateway keeps for itself."""
        for file in (self.folder / "state").glob("agent*"):
            file.unlink()

    def terminate(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(timeout=15)

    def marked(self) -> list[psutil.Process]:
        """Everything alive that this agent, or one before it on the same state, has started."""
        prefix = str((self.folder / "state").resolve())
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                zombie = process.status() == psutil.STATUS_ZOMBIE
                if not zombie and process.environ().get("QUANTDECK_PROCESS", "").startswith(prefix):
                    found.append(process)
        return found

    def engines(self) -> list[psutil.Process]:
        """Those of them that are engines, and not the gateway."""
        found = []
        for process in self.marked():
            with contextlib.suppress(psutil.Error):
                if "QUANTDECK_ENGINE" in process.environ():
                    found.append(process)
        return found

    def end_everything(self) -> None:
        self.kill()
        found = self.marked()
        sessions = set()
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                sessions.add(os.getsid(process.pid))
        # Some write their title over their environment, and with it what marks them.
        for process in (*found, *(one for leader in sessions for one in session(leader))):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def agent(models: Path, *arguments: str) -> AsyncIterator[AgentProcess]:
    """A running agent; it and all that it started are gone afterwards."""
    with short_folder() as folder:
        one = AgentProcess(folder, models, *arguments)
        try:
            await one.start()
            yield one
        finally:
            one.end_everything()


async def status_when(client: AgentClient, condition: object, seconds: float = 20.0) -> HostStatus:
    """The host's status once the condition holds for it."""
    async with asyncio.timeout(seconds):
        while not condition(status := await client.status()):  # type: ignore[operator]
            await asyncio.sleep(0.05)
    return status


async def engine_when(client: AgentClient, name: str, state: str) -> EngineStatus:
    """An engine once it is in a state."""

    def found(status: HostStatus) -> list[EngineStatus]:
        return [engine for engine in status.engines if engine.name == name and engine.state == state]

    return found(await status_when(client, found))[0]
