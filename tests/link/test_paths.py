"""Names that a host made up reach its agent as names, and break nothing here."""

from __future__ import annotations

import httpx
import pytest

from quantdeck_console.link.agent_client import AgentClient
from quantdeck_core.errors import RemoteError


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("chat-bf16.v2", b"/v1/engines/chat-bf16.v2"),
        ("a\x1b[2J\nb\x85", b"/v1/engines/a%1B[2J%0Ab%C2%85"),
        ("ünï \ud800", b"/v1/engines/%C3%BCn%C3%AF%20?"),
    ],
)
async def test_a_name_of_any_characters_makes_a_path(name: str, raw: bytes) -> None:
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(404)

    client = AgentClient("gpu-1", httpx.MockTransport(answer))
    with pytest.raises(RemoteError):
        await client.engine(name)
    with pytest.raises(RemoteError):
        async for _ in client.lines(f"/v1/engines/{name}", httpx.Timeout(1.0)):
            pass
    await client.close()
    assert asked == [raw, raw]
