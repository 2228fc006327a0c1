"""The engine process of a host for a model over several hosts: `ray start`, and on the head `vllm serve` behind it.

It waits for the other hosts, starts its commands one after the other, and ends all of them with the first that ends:
the agent sees one process. Its commands are in its session, so that none of them is left when the agent ends it.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from quantdeck_core.engines.over_hosts import SEPARATOR
from quantdeck_core.engines.ray import NODE_PORT, OWN_PORTS

POLL_S = 0.2
SAY_S = 60.0
"""Between two lines about something that is waited for."""
CONNECT_S = 2.0
NODE_UP_S = 120.0
END_S = 8.0
"""A command that does not end in time is killed; the agent kills all of them a little later."""


class NodeEndedError(Exception):
    """It is over: somebody asked for it, or a command ended."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Node:
    """The commands of this host, in the order in which they are started."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, argv: list[str]) -> None:
        """Start one more; in a group of its own, so that a signal to this program reaches it in its turn."""
        name = " ".join(argv[:2])
        say(f"starting {name}")
        try:
            self._running.append((name, subprocess.Popen(argv, stdin=subprocess.DEVNULL, process_group=0)))
        except OSError as error:
            say(f"error: cannot start {argv[0]}: {error.strerror}")
            raise NodeEndedError(1) from None

    def require_running(self) -> None:
        """All of them.

        Raises:
            NodeEndedError: one has ended.
        """
        for name, process in self._running:
            if (code := process.poll()) is not None:
                say(f"{name} ended {_in_words(code)}: everything here ends with it")
                raise NodeEndedError(code if code > 0 else 1)

    def wait_for(self, what: str, address: str, deadline_s: float | None = None) -> None:
        """Until something answers at `HOST:PORT`.

        Raises:
            NodeEndedError: a command has ended, or the deadline passed.
        """
        began = said = time.monotonic()
        say(f"waiting for {what} at {address}")
        while not answers(address):
            self.require_running()
            now = time.monotonic()
            if deadline_s is not None and now - began > deadline_s:
                say(f"error: {what} does not answer at {address} after {deadline_s:.0f} s")
                raise NodeEndedError(1)
            if now - said > SAY_S:
                said = now
                say(f"still waiting for {what} at {address}, {now - began:.0f} s")
            time.sleep(POLL_S)

    def require_free_ports(self) -> None:
        """Ray would say something else of a port that is taken, and late.

        Raises:
            NodeEndedError: one is.
        """
        for port in (self._port + offset for offset in OWN_PORTS):
            with socket.socket(_family(self._address)) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self._address, port))
                except OSError as error:
                    say(
                        f"error: port {port} of {self._address} cannot be taken ({error.strerror}); `ss -ltnp` says "
                        f"who has it, and ray_port in fleet.toml names another block"
                    )
                    raise NodeEndedError(1) from None

    def wait_until_up(self) -> None:
        """Until the node answers."""
        self.wait_for("this node", _joined(self._address, self._port + NODE_PORT), NODE_UP_S)

    def end(self, *, asked: bool) -> None:
        """The last one first: the server finishes its answers while the cluster is still there.

        Args:
            asked: then the server may take as long as it was told to; who ends this program has a deadline.
        """
        for name, process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(None if asked and process is not self._running[0][1] else END_S)
            except subprocess.TimeoutExpired:
                say(f"{name} does not end: killed")
                process.kill()
                process.wait()


def say(line: str) -> None:
    """One line in the engine's log."""
    sys.stderr.write(f"ray-node: {line}\n")
    sys.stderr.flush()


def answers(address: str) -> bool:
    """Whether something takes connections at `HOST:PORT`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except OSError:
        return False
    return True


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _in_words(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def split(argv: list[str]) -> tuple[list[str], list[list[str]]]:
    """Our own arguments, and the commands behind them."""
    parts: list[list[str]] = [[]]
    for word in argv:
        if word == SEPARATOR:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts[0], parts[1:]


def fresh(folder: Path) -> None:
    """An empty folder; what an earlier run left for reading is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def main(argv: list[str] | None = None) -> int:
    """Run until the first command ends, or SIGTERM."""
    own, commands = split(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="ray-node")
    parser.add_argument("--address", required=True, help="of this host")
    parser.add_argument("--port", type=int, required=True, help="first of its block")
    parser.add_argument("--scratch", type=Path, required=True, help="folder for Ray's sockets and logs")
    parser.add_argument("--await", dest="awaited", action="append", default=[], metavar="HOST=ADDRESS:PORT")
    options = parser.parse_args(own)
    if not commands:
        parser.error("no command")
    node = Node(options.address, options.port)

    def asked(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise NodeEndedError(0)

    signal.signal(signal.SIGTERM, asked)
    try:
        fresh(options.scratch)
        serves = len(commands) > 1
        node.require_free_ports()
        if not serves:
            _wait_for_others(node, options.awaited)
        node.start(commands[0])
        node.wait_until_up()
        if serves:
            _wait_for_others(node, options.awaited)
            for command in commands[1:]:
                node.start(command)
        while True:
            node.require_running()
            time.sleep(POLL_S)
    except NodeEndedError as over:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        node.end(asked=over.code == 0)
        if over.code == 0:
            shutil.rmtree(options.scratch, ignore_errors=True)
        else:
            say(f"Ray's own logs are below {options.scratch} until the next start")
        return over.code


def _wait_for_others(node: Node, awaited: list[str]) -> None:
    for one in awaited:
        host, _, address = one.rpartition("=")
        node.wait_for(host, address)


if __name__ == "__main__":
    sys.exit(main())
