"""SSH for tests: keys, an agent that serves SSH itself, OpenSSH's server, and a way there that can be slow or cut."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import msgspec

from quantdeck_console.link.fleet_file import Host
from support.agents import AgentProcess
from support.waiting import eventually, listens

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
NO_SSHD = "" if Path(SSHD).exists() else "OpenSSH's server is not installed: apt-get install openssh-server"
"""Why tests of it are skipped."""


class Keys:
    """A host's and an operator's key in a folder."""

    def __init__(self, folder: Path, role: str = "operator") -> None:
        host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        self.host_key, self.identity = folder / "host_key", folder / "user_key"
        self.authorized, self.known_hosts = folder / "authorized_keys", folder / "known_hosts"
        for key, file in ((host, self.host_key), (user, self.identity)):
            key.write_private_key(str(file))
            file.chmod(0o600)
        self.host_public = host.export_public_key().decode().strip()
        self.user_public = user.export_public_key().decode()
        self.authorized.write_text(f'quantdeck-role="{role}" {self.user_public}')

    def know(self, port: int, public: str | None = None) -> None:
        self.known_hosts.write_text(f"[127.0.0.1]:{port} {public or self.host_public}\n")

    def host(self, port: int, path: Path, user: str = "anyone") -> Host:
        return Host(
            name="test",
            ssh=f"{user}@127.0.0.1:{port}",
            socket=str(path),
            identity=str(self.identity),
            known_hosts=str(self.known_hosts),
        )


async def with_own_ssh(one: AgentProcess, keys: Keys) -> int:
    """Restart an agent so that it serves SSH; returns the port."""
    one.kill()
    one.arguments = ("--ssh-listen", "127.0.0.1:0", "--ssh-host-key", str(keys.host_key))
    one.arguments += ("--ssh-authorized-keys", str(keys.authorized))
    await one.start()
    port: int = msgspec.json.decode(one.ready_file.read_bytes())["ssh_port"]
    keys.know(port)
    return port


@contextlib.asynccontextmanager
async def openssh(folder: Path, keys: Keys) -> AsyncIterator[int]:
    """A running OpenSSH server that knows these keys, for the user who runs the test; yields its port.

    Args:
        folder: for its config and its log.
    """
    keys.authorized.write_text(keys.user_public)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    keys.know(port)
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd separates its privileges
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys.host_key}\nAuthorizedKeysFile {keys.authorized}\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nAllowStreamLocalForwarding yes\n"
    )
    server = subprocess.Popen([SSHD, "-D", "-f", str(config), "-E", str(folder / "sshd.log")])
    try:
        await eventually(lambda: listens(port), what="sshd listens")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=10)


class Flow:
    """What passes in one direction, over all connections of a way: late, or held up for a while."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._held: list[tuple[asyncio.StreamWriter, bytes]] | None = None

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes until it ends; an end is passed on as nothing."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                loop.call_later(self._delay_s, self._arrived, writer, data)
        loop.call_later(self._delay_s, self._arrived, writer, b"")

    def hold(self) -> None:
        """From now on nothing passes."""
        self._held = []

    def release(self) -> None:
        """What was held up passes, and nothing that comes after it."""
        held, self._held = self._held or [], None
        for writer, data in held:
            self._arrived(writer, data)
        self.hold()

    def free(self) -> None:
        """Everything passes again."""
        self.release()
        self._held = None

    def _arrived(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if self._held is not None:
            self._held.append((writer, data))
        elif data:
            writer.write(data)
        else:
            writer.close()


class Way:
    """A TCP relay to a port.

    Attributes:
        there, back: its two directions.
    """

    def __init__(self, port: int, delay_s: float = 0.0) -> None:
        """`delay_s`: of each direction."""
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.there, self.back = Flow(delay_s), Flow(delay_s)
        self.port = 0

    async def open(self) -> None:
        """Connections are taken, at the same port as before."""
        self._server = await asyncio.start_server(self.relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Every connection breaks, and none is taken."""
        self.cut()
        if self._server:
            self._server.close()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, there_writer}
        with contextlib.suppress(asyncio.CancelledError):  # the test has ended
            await asyncio.gather(self.there.pump(reader, there_writer), self.back.pump(there_reader, writer))

    def cut(self) -> None:
        """Every connection breaks; new ones work."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@contextlib.asynccontextmanager
async def way_to(port: int, delay_s: float = 0.0) -> AsyncIterator[Way]:
    """A running relay."""
    way = Way(port, delay_s)
    await way.open()
    try:
        yield way
    finally:
        way.close()
