"""The console's link through real SSH servers: the agent's own, and OpenSSH's."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from pathlib import Path

import asyncssh
import httpx
import pytest

from quantdeck_console.link import ssh_fleet
from quantdeck_console.link.agent_client import AgentClient
from quantdeck_console.link.connect import LinkRefusedError, agent_of, split_ssh
from quantdeck_console.link.fleet_file import Fleet, Host
from quantdeck_console.link.ssh_fleet import SshFleet
from quantdeck_core.errors import RemoteError, UnreachableError
from quantdeck_core.fleet.link import LinkChange
from quantdeck_core.protocol.events import Event, Snapshot
from quantdeck_core.protocol.requests import Stop
from support.agents import agent, short_folder
from support.ssh import NO_SSHD, Keys, openssh, with_own_ssh
from support.waiting import eventually


async def test_the_agents_own_ssh_carries_every_call(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        keys = Keys(tmp_path)
        port = await with_own_ssh(one, keys)
        async with agent_of(keys.host(port, one.socket())) as client:
            version = await client.version()
            assert (version.host, version.role) == ("test", "operator")
            assert (await client.status()).name == "test"


async def test_a_host_key_that_changed_is_refused(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        keys = Keys(tmp_path)
        port = await with_own_ssh(one, keys)
        keys.know(port, asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip())
        with pytest.raises(LinkRefusedError, match="not the known one"):
            async with agent_of(keys.host(port, one.socket())):
                pytest.fail("connected to a host whose key had changed")


async def test_a_stranger_is_refused(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        keys = Keys(tmp_path)
        port = await with_own_ssh(one, keys)
        stranger = tmp_path / "stranger"
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(stranger))
        keys.identity = stranger
        with pytest.raises(LinkRefusedError, match="does not accept your key"):
            async with agent_of(keys.host(port, one.socket())):
                pytest.fail("a stranger came in")


@pytest.mark.parametrize("what", ["operator.sock", "admin.sock", "/etc/passwd", "gateway.sock"])
async def test_a_viewers_key_opens_only_the_viewers_socket(tmp_path: Path, demo_models: Path, what: str) -> None:
    async with agent(demo_models) as one:
        keys = Keys(tmp_path, role="viewer")
        port = await with_own_ssh(one, keys)
        async with agent_of(keys.host(port, one.folder / "run" / what)) as client:
            with pytest.raises(UnreachableError):
                await client.version()
        async with agent_of(keys.host(port, one.socket("viewer"))) as client:
            assert (await client.version()).role == "viewer"
            with pytest.raises(RemoteError) as caught:
                await client.stop("x", Stop(request_id="1"))
            assert (caught.value.status, caught.value.info().code) == (403, "forbidden")


async def test_ssh_opens_no_shell_and_forwards_no_port(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        keys = Keys(tmp_path)
        port = await with_own_ssh(one, keys)
        async with asyncssh.connect(
            "127.0.0.1", port, known_hosts=str(keys.known_hosts), client_keys=[str(keys.identity)]
        ) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.run("true")
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", port)


@pytest.mark.skipif(bool(NO_SSHD), reason=NO_SSHD)
async def test_the_same_link_works_through_openssh(demo_models: Path) -> None:
    with short_folder() as folder:
        async with agent(demo_models) as one:
            keys = Keys(folder)
            async with openssh(folder, keys) as port:
                host = keys.host(port, one.socket(), getpass.getuser())
                async with agent_of(host) as client:
                    assert (await client.version()).role == "operator"
                    assert (await client.status()).name == "test"
                await _follow(host)


async def _follow(host: Host) -> None:
    """The fleet link connects and gets the snapshot."""
    heard: list[Event | LinkChange] = []
    running = asyncio.create_task(SshFleet(Fleet(host=(host,))).run(lambda _name, update: heard.append(update)))
    try:
        await eventually(lambda: any(isinstance(update, Snapshot) for update in heard), what="a snapshot")
        assert [u.state for u in heard if isinstance(u, LinkChange)] == ["connecting", "connected"]
    finally:
        await _cancel(running)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_link_that_breaks_is_made_again(tmp_path: Path, demo_models: Path) -> None:
    async with agent(demo_models) as one:
        host = Host(name="test", socket=str(one.socket()))
        heard: list[Event | LinkChange] = []
        running = asyncio.create_task(SshFleet(Fleet(host=(host,))).run(lambda _name, update: heard.append(update)))
        try:
            await eventually(lambda: any(isinstance(update, Snapshot) for update in heard))
            one.kill()
            await eventually(lambda: any(isinstance(u, LinkChange) and u.state == "lost" for u in heard))
            heard.clear()
            await one.start()
            await eventually(lambda: any(isinstance(update, Snapshot) for update in heard))
        finally:
            await _cancel(running)


async def test_who_asks_for_a_host_ends_the_pause_before_the_next_try(
    tmp_path: Path, demo_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_fleet, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(ssh_fleet, "LAST_RETRY_S", 3600.0)
    async with agent(demo_models) as one:
        fleet = SshFleet(Fleet(host=(Host(name="test", socket=str(one.socket())),)))
        one.kill()
        heard: list[Event | LinkChange] = []
        running = asyncio.create_task(fleet.run(lambda _name, update: heard.append(update)))
        try:
            await eventually(lambda: any(isinstance(u, LinkChange) and u.state == "lost" for u in heard))
            await one.start()
            with pytest.raises(UnreachableError, match="is not connected"):
                await fleet.ask("test", lambda client: client.version())
            await eventually(lambda: any(isinstance(update, Snapshot) for update in heard), what="connected again")
        finally:
            await _cancel(running)


async def test_a_link_that_ends_under_a_question_is_an_answer_and_no_crash() -> None:
    async def broken(_: httpx.Request) -> httpx.Response:
        await client.close()
        raise httpx.ReadError("the connection was lost")

    client = AgentClient("test", httpx.MockTransport(broken))
    for _ in range(2):
        with pytest.raises(UnreachableError, match="does not answer"):
            await client.version()
    with pytest.raises(UnreachableError, match="does not answer"):
        await anext(client.events())


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("gpu-1", ("", "gpu-1", 0)),
        ("oncall@gpu-1.rack", ("oncall", "gpu-1.rack", 0)),
        ("a@b:2222", ("a", "b", 2222)),
        ("[::1]:22", ("", "::1", 22)),
        ("::1", ("", "::1", 0)),
    ],
)
def test_ssh_targets(target: str, parts: tuple[str, str, int]) -> None:
    assert split_ssh(target) == parts
