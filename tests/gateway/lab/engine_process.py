"""An engine in a process of its own, to be stopped and killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from gateway.lab.engine import Engine

_TESTS = Path(__file__).parents[2]


class EngineProcess:
    """Serves like `Engine`, each answer after 20 ms."""

    def __init__(self, arm: str) -> None:
        self.arm, self.port = arm, 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, the second time on the port that it had."""
        argv = [sys.executable, "-m", "gateway.lab.engine_process", self.arm, str(self.port)]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=_TESTS)
        assert self._process.stdout is not None
        with self._process.stdout as said:
            self.port = int(said.readline())

    def hang(self) -> None:
        """It does nothing more; the kernel goes on accepting connections for it."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """As if nothing had been."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self._process.kill()
        self._process.wait()


async def _main(arm: str, port: int) -> None:
    engine = Engine(arm, port, plays="slow")
    await engine.start()
    print(engine.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
