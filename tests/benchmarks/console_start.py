"""How long the console takes from its command to what is worth looking at.

    python tests/benchmarks/console_start.py [--starts 9]

Starts `quantdeck console` in a pseudo-terminal of 80x24 on a fleet of three hosts whose agents are played, over local
sockets: interpreter, imports, first paint, connections, first rows. The first start is not counted: it warms the disk's
cache. Also says what is imported before the first paint that belongs to connections or engines.

Prints the figures beside their limit; exit 1 where it is exceeded.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
from pseudo_terminal import PseudoTerminal, has, report

LIMIT_MS = 900.0
HOSTS = 3
CONSOLE = (sys.executable, "-c", "import sys; from quantdeck.main import main; sys.exit(main())", "console")
LATE = ("asyncssh", "cryptography", "gguf", "httpx", "llama_cpp", "starlette", "uvicorn", "vllm", "xllamacpp")


@contextlib.contextmanager
def fleet() -> Iterator[Path]:
    """The fleet file of agents that are running."""
    script = Path(__file__).with_name("played_agents.py")
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, str(script), folder, "--hosts", str(HOSTS)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            try:
                assert process.stdout.readline() == b"ready\n"
                file = Path(folder) / "fleet.toml"
                sockets = sorted(Path(folder).glob("*.sock"))
                file.write_text("".join(f'[[host]]\nname = "{one.stem}"\nsocket = "{one}"\n' for one in sockets))
                yield file
            finally:
                process.stdin.close()
                process.wait(timeout=10)


class Start(NamedTuple):
    """Milliseconds to each moment, less those for which other processes had all cores.

    Attributes:
        painted: hosts are shown, of which nothing is known.
        heard: a host's figures are shown.
        whole: those of all hosts are.
        used: processor time of all that.
    """

    painted: float
    heard: float
    whole: float
    used: float
    waited: float


def start(file: Path) -> Start:
    """Start it once."""
    with PseudoTerminal([*CONSOLE, "--fleet", str(file)]) as terminal:
        times = []
        for words in (("STATUS", "gpu-0002"), ("2 GPUs",), ("all quiet",)):
            shown = terminal.wait_until(has(*words), 20.0)
            times.append((shown - terminal.started_at) * 1000 - terminal.waited_ms)
        used = psutil.Process(terminal.process.pid).cpu_times()
        return Start(*times, used=(used.user + used.system) * 1000, waited=terminal.waited_ms)


def early() -> list[str]:
    """Modules that the first paint should not have to wait for, and does."""
    code = "import sys, quantdeck_console.commands.console, quantdeck_console.app; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    return [name for name in LATE if name in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--starts", type=int, default=9, help="(default: %(default)s)")
    starts = max(3, parser.parse_args().starts)
    with fleet() as file:
        start(file)
        times = [start(file) for _ in range(starts)]
    median = Start(*(statistics.median(kind) for kind in zip(*times, strict=True)))
    print(
        f"median of {starts} warm starts: all rows after {median.whole:.0f} ms, {median.used:.0f} ms of a core;", end=""
    )
    print(f" others had the cores for {median.waited:.0f} ms more")
    failed = report(
        [
            ("first paint: hosts, nothing heard yet", median.painted, LIMIT_MS, "ms"),
            ("first useful paint: a host's figures", median.heard, LIMIT_MS, "ms"),
        ]
    )
    if found := early():
        print(f"imported before the first paint: {', '.join(found)}")
    return failed or int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
