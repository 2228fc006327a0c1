"""What a plain agent does not load."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import psutil

from support.agents import AgentProcess, short_folder


async def loaded(folder: Path, *arguments: str) -> tuple[str, int]:
    """Files that are mapped into an agent that is ready, and its resident bytes."""
    one = AgentProcess(folder, folder, *arguments)
    try:
        await one.start()
        assert one.process
        maps = Path(f"/proc/{one.process.pid}/maps").read_text()
        return maps, psutil.Process(one.process.pid).memory_info().rss
    finally:
        one.end_everything()


async def test_ssh_is_loaded_only_where_the_agent_serves_it_itself() -> None:
    with short_folder() as folder:
        plain, rss = await loaded(folder)
        assert "/cryptography/" not in plain
        assert "sqlite3" in plain
        assert rss < 60 << 20
        key, allowed = folder / "key", folder / "allowed"
        pair = asyncssh.generate_private_key("ssh-ed25519")
        pair.write_private_key(str(key))
        pair.write_public_key(str(allowed))
        arguments = ("--ssh-listen", "127.0.0.1:0", "--ssh-host-key", str(key), "--ssh-authorized-keys", str(allowed))
        serving, _ = await loaded(folder, *arguments)
        assert "/cryptography/" in serving
